package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/voiceassist/gateway/shared/identity/signin"
)

// DeleteExpiredLogins deletes logins that expired before the given time, in batches, and
// returns how many. Until then, a late refresh gets the reason why it is refused. The
// account keeps the time of its last login if no other login remains. It may stop at any
// point, and several processes may call it at once.
//
// A refresh changes when a login expires. So that it changes no indexed column, the index
// has logins.sweep_at: when to look at the login again. Logins that have not expired by
// then are put off. The cost depends on how many logins are due, not on how many there are.
func (db *DB) DeleteExpiredLogins(ctx context.Context, before time.Time) (deleted int64, err error) {
	_, err = inBatches(ctx, func() (int64, error) {
		end, err := db.endOfSweep(ctx, before)
		if err != nil {
			return 0, fmt.Errorf("logins to look at: %w", err)
		}
		postponed, err := db.exec(ctx, sweptLogins(`expires_at >= $3`, db.dialect.SkipLocked)+`
			UPDATE logins SET sweep_at = expires_at WHERE id IN (SELECT id FROM batch)`, end.at, string(end.id), at(before))
		if err != nil {
			return 0, fmt.Errorf("put logins off: %w", err)
		}
		n, err := db.deleteLogins(ctx, end, before)
		deleted += n
		return postponed + n, err
	})
	return deleted, err
}

// A sweepEnd is the place of a login in the order in which logins are looked at.
type sweepEnd struct {
	at time.Time
	id signin.ID
}

// endOfSweep returns the place of the last login of the next batch.
func (s *Statements) endOfSweep(ctx context.Context, before time.Time) (sweepEnd, error) {
	var end sweepEnd
	err := s.queryRow(ctx, errNoMatch, []any{timeScanner{&end.at}, &end.id}, `
		SELECT sweep_at, id FROM logins WHERE sweep_at < $1 ORDER BY sweep_at, id LIMIT 1 OFFSET $2`,
		at(before), housekeepingBatch-1)
	if errors.Is(err, errNoMatch) { // fewer are left than a batch has
		return sweepEnd{at(before), oldest}, nil
	}
	return end, err
}

// sweptLogins returns the beginning of a statement on the logins of a batch that meet a
// condition. Its first parameters are those of a [sweepEnd]. Without the order and the
// limit, PostgreSQL reads the whole table if many logins have the same sweep_at, as after
// the migration that added it.
func sweptLogins(condition, skipLocked string) string {
	return `WITH batch AS MATERIALIZED (
		SELECT id, user_id FROM logins WHERE (sweep_at, id) <= ($1, $2) AND ` + condition + `
		ORDER BY sweep_at, id LIMIT ` + strconv.Itoa(housekeepingBatch) + skipLocked + `)`
}

// deleteLogins deletes the expired logins of a batch. Its statements need no transaction:
// an expired login stays expired, so the second deletes none that the first has not seen.
func (s *Statements) deleteLogins(ctx context.Context, end sweepEnd, before time.Time) (int64, error) {
	args := []any{end.at, string(end.id), at(before)}
	_, err := s.exec(ctx, sweptLogins(`expires_at < $3`, "")+`
		UPDATE users SET last_login_at = `+latestLogin+`
		WHERE id IN (SELECT user_id FROM batch) AND (last_login_at IS NULL OR last_login_at < `+latestLogin+`)
			AND NOT EXISTS (SELECT 1 FROM logins WHERE user_id = users.id AND expires_at >= $3)`, args...)
	if err != nil {
		return 0, fmt.Errorf("keep the times of last logins: %w", err)
	}
	n, err := s.exec(ctx, sweptLogins(`expires_at < $3`, s.dialect.SkipLocked)+`
		DELETE FROM logins WHERE id IN (SELECT id FROM batch)`, args...)
	if err != nil {
		return 0, fmt.Errorf("forget logins: %w", err)
	}
	return n, nil
}
