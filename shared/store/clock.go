package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// longestLease is longer than any lease or trial.
const longestLease = 10 * time.Minute

// Reschedule makes background work due now that was to be done later, and ends leases that
// last longer than any can. It is for a clock that was ahead and has been set back: its times
// are as far in the future. Nextcloud and the mail server get one attempt more than they
// asked for. It may stop at any point, and several processes may call it at once.
func (db *DB) Reschedule(ctx context.Context, now time.Time) error {
	work := func(table, key string) error {
		_, due := db.changeInBatches(ctx, `UPDATE `+table+` SET due_at = $1`, table, key, `due_at > $1`, at(now))
		_, leases := db.changeInBatches(ctx, `UPDATE `+table+` SET lease_until = $1`, table, key,
			`due_at <= $1 AND lease_until > $2`, at(now), at(now.Add(longestLease)))
		return errors.Join(due, leases)
	}
	_, breaker := db.exec(ctx, `
		UPDATE nextcloud_access SET
			closed_until = CASE WHEN closed_until > $1 THEN $1 ELSE closed_until END,
			refused_until = CASE WHEN refused_until > $2 THEN $1 ELSE refused_until END,
			trial_until = CASE WHEN trial_until > $2 THEN $1 ELSE trial_until END`,
		at(now), at(now.Add(longestLease)))
	limits := db.updateLimits(ctx, `
		edits_until = CASE WHEN edits_until > $2 THEN $1 ELSE edits_until END,
		swept_at = CASE WHEN swept_at > $1 THEN $1 ELSE swept_at END`, at(now), at(now.Add(longestLease)))
	if err := errors.Join(work("nextcloud_accounts", "user_id"), work("mails", "id"), breaker, limits); err != nil {
		return fmt.Errorf("reschedule background work: %w", err)
	}
	return nil
}
