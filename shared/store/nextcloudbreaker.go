package store

import (
	"context"
	"fmt"
	"time"
)

// A BlockReason says why Nextcloud may not be called now.
type BlockReason string

// The reasons. The first two are also codes of an account's last error.
const (
	BlockedByRefusal BlockReason = "admin_refused"         // Nextcloud rejected the administrator's credentials
	BlockedByOutage  BlockReason = "nextcloud_unavailable" // Nextcloud did not respond
	BlockedByTrial   BlockReason = "trial"                 // another process makes the trial call
)

// A Breaker is the state of the circuit breaker in front of Nextcloud, for one
// server and one set of credentials. All processes with these settings share it, so
// that one of them learns about an outage for all.
type Breaker struct {
	Closed           bool        // calls are allowed
	OpenUntil        *time.Time  // no calls before; nil: a trial call is due, unless Closed
	Reason           BlockReason // why it is open; "" if it is not
	EditsPausedUntil *time.Time  // Nextcloud accepts no edits before; nil if it does
	Outages          int         // in a row
}

// NextcloudBreaker returns the circuit breaker for the settings that key identifies.
func (s *Statements) NextcloudBreaker(ctx context.Context, key string, now time.Time) (Breaker, error) {
	var (
		b                      Breaker
		outage, refused, trial *time.Time
	)
	err := s.queryRow(ctx, nil, []any{
		&b.Closed, nullTimeScanner{&outage}, nullTimeScanner{&refused}, nullTimeScanner{&trial}, nullTimeScanner{&b.EditsPausedUntil}, &b.Outages,
	}, `
		SELECT COALESCE(a.proved, FALSE), a.closed_until, a.refused_until, a.trial_until, g.edits_until, COALESCE(a.outages, 0)
		FROM nextcloud_gate g LEFT JOIN nextcloud_access a ON a.settings = $1`, key)
	if err != nil {
		return Breaker{}, fmt.Errorf("circuit breaker of Nextcloud: %w", err)
	}
	for _, block := range []struct {
		until  *time.Time
		reason BlockReason
	}{{trial, BlockedByTrial}, {outage, BlockedByOutage}, {refused, BlockedByRefusal}} {
		if !b.Closed && block.until != nil && block.until.After(now) && (b.OpenUntil == nil || block.until.After(*b.OpenUntil)) {
			b.OpenUntil, b.Reason = block.until, block.reason
		}
	}
	if b.EditsPausedUntil != nil && !b.EditsPausedUntil.After(now) {
		b.EditsPausedUntil = nil
	}
	return b, nil
}

// accessKept is how long the state of settings that nobody uses is kept.
const accessKept = 30 * 24 * time.Hour

// BeginNextcloudTrial reports whether the caller is to make a trial call, until the
// given time at most. Exactly one concurrent caller wins, and none while the circuit
// breaker is open. [Statements.EndNextcloudTrial] ends the trial.
func (s *Statements) BeginNextcloudTrial(ctx context.Context, key string, now, until time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		INSERT INTO nextcloud_access (settings, trial_until, changed_at) VALUES ($1, $3, $2)
		ON CONFLICT (settings) DO UPDATE SET trial_until = excluded.trial_until, changed_at = excluded.changed_at
		WHERE NOT nextcloud_access.proved
			AND (nextcloud_access.trial_until IS NULL OR nextcloud_access.trial_until <= $2)
			AND (nextcloud_access.closed_until IS NULL OR nextcloud_access.closed_until <= $2)
			AND (nextcloud_access.refused_until IS NULL OR nextcloud_access.refused_until <= $2)`,
		key, at(now), at(until))
	if err == nil && n > 0 {
		_, err = s.exec(ctx, `DELETE FROM nextcloud_access WHERE changed_at < $1`, at(now.Add(-accessKept)))
	}
	if err != nil {
		return false, fmt.Errorf("begin trial of Nextcloud: %w", err)
	}
	return n > 0, nil
}

// EndNextcloudTrial ends the trial that began with the same time limit, if nobody
// has ended it.
func (s *Statements) EndNextcloudTrial(ctx context.Context, key string, until time.Time) error {
	return s.updateBreaker(ctx, `trial_until = CASE WHEN trial_until = $2 THEN NULL ELSE trial_until END`, key, at(until))
}

// RecordNextcloudSuccess closes the circuit breaker: Nextcloud has accepted the
// credentials.
func (s *Statements) RecordNextcloudSuccess(ctx context.Context, key string, now time.Time) error {
	return s.updateBreaker(ctx, `proved = TRUE, trial_until = NULL, closed_until = NULL, refused_until = NULL, outages = 0,
		changed_at = $2`, key, at(now))
}

// RecordNextcloudRefusal opens the circuit breaker until the given time: Nextcloud
// has rejected the credentials.
func (s *Statements) RecordNextcloudRefusal(ctx context.Context, key string, now, until time.Time) error {
	return s.updateBreaker(ctx, `proved = FALSE, trial_until = NULL, refused_until = $3, changed_at = $2`, key, at(now), at(until))
}

// RecordNextcloudOutage opens the circuit breaker until the given time: Nextcloud
// does not respond. One caller then makes a trial call.
func (s *Statements) RecordNextcloudOutage(ctx context.Context, key string, now, until time.Time) error {
	return s.updateBreaker(ctx, `proved = FALSE, trial_until = NULL, closed_until = $3, outages = outages + 1, changed_at = $2`,
		key, at(now), at(until))
}

func (s *Statements) updateBreaker(ctx context.Context, set, key string, args ...any) error {
	_, err := s.exec(ctx, `UPDATE nextcloud_access SET `+set+` WHERE settings = $1`, append([]any{key}, args...)...)
	if err != nil {
		return fmt.Errorf("update circuit breaker of Nextcloud: %w", err)
	}
	return nil
}

// PauseNextcloudEdits records until when Nextcloud accepts no more edits.
func (s *Statements) PauseNextcloudEdits(ctx context.Context, until time.Time) error {
	return s.updateLimits(ctx, `edits_until = $1`, at(until))
}

// ClaimSweep reports whether the caller is to compare all accounts, because nobody
// has since the given time. Exactly one concurrent caller wins.
func (s *Statements) ClaimSweep(ctx context.Context, since, now time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_gate SET swept_at = $2 WHERE swept_at IS NULL OR swept_at < $1`, at(since), at(now))
	if err != nil {
		return false, fmt.Errorf("claim sweep: %w", err)
	}
	return n > 0, nil
}

// PostponeSweep sets the time of the last sweep, so that the next one can be claimed
// accordingly.
func (s *Statements) PostponeSweep(ctx context.Context, last time.Time) error {
	return s.updateLimits(ctx, `swept_at = $1`, at(last))
}

func (s *Statements) updateLimits(ctx context.Context, set string, args ...any) error {
	if _, err := s.exec(ctx, `UPDATE nextcloud_gate SET `+set, args...); err != nil {
		return fmt.Errorf("circuit breaker of Nextcloud: %w", err)
	}
	return nil
}
