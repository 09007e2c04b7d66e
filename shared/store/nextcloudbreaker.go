package store

import (
	"context"
	"fmt"
	"time"
)

// A Hold is why Nextcloud may not be called for now.
type BlockReason string

// The holds. The first two are also what an account's last error can be.
const (
	BlockedByRefusal BlockReason = "admin_refused"         // it refused the administrator's credentials
	BlockedByOutage  BlockReason = "nextcloud_unavailable" // it did not answer
	BlockedByTrial   BlockReason = "trial"                 // another process finds out whether it does
)

// A Gate says whether Nextcloud may be called with certain settings. All
// processes that have them share it, so that what one learns, none has to learn
// again.
type Breaker struct {
	Closed           bool        // the credentials were accepted: anybody may call
	OpenUntil        *time.Time  // nobody may call before; nil for anybody may try
	Reason           BlockReason // why it is closed; "" where it is not
	EditsPausedUntil *time.Time  // no edit will be taken before; nil for not known
	Outages          int         // in a row
}

// NextcloudBreaker returns the gate for the settings that key stands for.
func (s *Statements) NextcloudBreaker(ctx context.Context, key string, now time.Time) (Breaker, error) {
	var (
		g                      Breaker
		closed, refused, trial *time.Time
	)
	err := s.queryRow(ctx, nil, []any{
		&g.Closed, nullTimeScanner{&closed}, nullTimeScanner{&refused}, nullTimeScanner{&trial}, nullTimeScanner{&g.EditsPausedUntil}, &g.Outages,
	}, `
		SELECT COALESCE(a.proved, FALSE), a.closed_until, a.refused_until, a.trial_until, g.edits_until, COALESCE(a.outages, 0)
		FROM nextcloud_gate g LEFT JOIN nextcloud_access a ON a.settings = $1`, key)
	if err != nil {
		return Breaker{}, fmt.Errorf("gate of Nextcloud: %w", err)
	}
	for _, h := range []struct {
		until *time.Time
		hold  BlockReason
	}{{trial, BlockedByTrial}, {closed, BlockedByOutage}, {refused, BlockedByRefusal}} {
		if !g.Closed && h.until != nil && h.until.After(now) && (g.OpenUntil == nil || h.until.After(*g.OpenUntil)) {
			g.OpenUntil, g.Reason = h.until, h.hold
		}
	}
	if g.EditsPausedUntil != nil && !g.EditsPausedUntil.After(now) {
		g.EditsPausedUntil = nil
	}
	return g, nil
}

// accessKept is how long what is known of settings is kept that nobody uses.
const accessKept = 30 * 24 * time.Hour

// BeginNextcloudTrial reports whether the caller is to find out if the credentials are
// accepted, until the time given: of all that would, one is, and nobody while
// the gate is closed. [Statements.EndNextcloudTrial] ends the trial.
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
		return false, fmt.Errorf("try Nextcloud: %w", err)
	}
	return n > 0, nil
}

// EndNextcloudTrial ends the trial until the time given, if it has not ended.
func (s *Statements) EndNextcloudTrial(ctx context.Context, key string, until time.Time) error {
	return s.updateBreaker(ctx, `trial_until = CASE WHEN trial_until = $2 THEN NULL ELSE trial_until END`, key, at(until))
}

// RecordNextcloudSuccess opens the gate: the credentials were accepted.
func (s *Statements) RecordNextcloudSuccess(ctx context.Context, key string, now time.Time) error {
	return s.updateBreaker(ctx, `proved = TRUE, trial_until = NULL, closed_until = NULL, refused_until = NULL, outages = 0,
		changed_at = $2`, key, at(now))
}

// RecordNextcloudRefusal closes the gate: the credentials were refused.
func (s *Statements) RecordNextcloudRefusal(ctx context.Context, key string, now, until time.Time) error {
	return s.updateBreaker(ctx, `proved = FALSE, trial_until = NULL, refused_until = $3, changed_at = $2`, key, at(now), at(until))
}

// RecordNextcloudOutage closes the gate: Nextcloud does not answer. One caller tries
// again afterwards.
func (s *Statements) RecordNextcloudOutage(ctx context.Context, key string, now, until time.Time) error {
	return s.updateBreaker(ctx, `proved = FALSE, trial_until = NULL, closed_until = $3, outages = outages + 1, changed_at = $2`,
		key, at(now), at(until))
}

func (s *Statements) updateBreaker(ctx context.Context, set, key string, args ...any) error {
	_, err := s.exec(ctx, `UPDATE nextcloud_access SET `+set+` WHERE settings = $1`, append([]any{key}, args...)...)
	if err != nil {
		return fmt.Errorf("access to Nextcloud: %w", err)
	}
	return nil
}

// PauseNextcloudEdits notes until when Nextcloud takes no more edits.
func (s *Statements) PauseNextcloudEdits(ctx context.Context, until time.Time) error {
	return s.updateLimits(ctx, `edits_until = $1`, at(until))
}

// ClaimSweep reports whether the caller is to compare both sides: nobody did
// since the time given, and of concurrent calls one is.
func (s *Statements) ClaimSweep(ctx context.Context, since, now time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_gate SET swept_at = $2 WHERE swept_at IS NULL OR swept_at < $1`, at(since), at(now))
	if err != nil {
		return false, fmt.Errorf("claim sweep: %w", err)
	}
	return n > 0, nil
}

// PostponeSweep lets the next sweep be claimed as if the last one had been at
// the time given.
func (s *Statements) PostponeSweep(ctx context.Context, last time.Time) error {
	return s.updateLimits(ctx, `swept_at = $1`, at(last))
}

func (s *Statements) updateLimits(ctx context.Context, set string, args ...any) error {
	if _, err := s.exec(ctx, `UPDATE nextcloud_gate SET `+set, args...); err != nil {
		return fmt.Errorf("gate of Nextcloud: %w", err)
	}
	return nil
}
