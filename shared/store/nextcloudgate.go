package store

import (
	"context"
	"fmt"
	"time"
)

// A Gate says whether Nextcloud may be called. All processes share it, so that
// what one of them learns, none has to learn again.
type Gate struct {
	Proved     bool       // the credentials were accepted: anybody may call
	Closed     *time.Time // nobody may call before; nil for anybody may try
	Refused    bool       // Closed is since the credentials were refused
	EditsUntil *time.Time // no edit will be taken before; nil for not known
	Outages    int        // in a row
}

// NextcloudGate returns the gate for the administrator's credentials that key
// stands for.
func (s *Statements) NextcloudGate(ctx context.Context, key string, now time.Time) (Gate, error) {
	var (
		g                           Gate
		closed, refused, trial, max *time.Time
	)
	err := s.one(ctx, nil, []any{
		&g.Proved, maybeInstant{&closed}, maybeInstant{&refused}, maybeInstant{&trial}, maybeInstant{&g.EditsUntil}, &g.Outages,
	}, `
		SELECT proved = $1, closed_until, CASE WHEN refused = $1 THEN refused_until END, trial_until, edits_until, outages
		FROM nextcloud_gate`, key)
	if err != nil {
		return Gate{}, fmt.Errorf("gate of Nextcloud: %w", err)
	}
	for _, until := range []*time.Time{closed, refused, trial} {
		if until != nil && until.After(now) && (max == nil || until.After(*max)) {
			max = until
		}
	}
	if !g.Proved {
		g.Closed = max
		g.Refused = refused != nil && refused.After(now)
	}
	if g.EditsUntil != nil && !g.EditsUntil.After(now) {
		g.EditsUntil = nil
	}
	return g, nil
}

// TryNextcloud reports whether the caller is to try if the credentials are
// accepted, until the time given: of all that would, one is. Nobody is while
// the gate is closed.
func (s *Statements) TryNextcloud(ctx context.Context, key string, now, until time.Time) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_gate SET trial_until = $3
		WHERE proved <> $1 AND (trial_until IS NULL OR trial_until <= $2)
			AND (closed_until IS NULL OR closed_until <= $2)
			AND (refused <> $1 OR refused_until IS NULL OR refused_until <= $2)`, key, at(now), at(until))
	if err != nil {
		return false, fmt.Errorf("try Nextcloud: %w", err)
	}
	return n > 0, nil
}

// ProveNextcloud opens the gate: the credentials were accepted.
func (s *Statements) ProveNextcloud(ctx context.Context, key string) error {
	return s.gate(ctx, `proved = $1, trial_until = NULL, closed_until = NULL, outages = 0`, key)
}

// EndTrialOfNextcloud ends a trial that tried nothing.
func (s *Statements) EndTrialOfNextcloud(ctx context.Context) error {
	return s.gate(ctx, `trial_until = NULL`)
}

// RefuseNextcloud closes the gate for these credentials.
func (s *Statements) RefuseNextcloud(ctx context.Context, key string, until time.Time) error {
	return s.gate(ctx, `proved = CASE WHEN proved = $1 THEN '' ELSE proved END, refused = $1, refused_until = $2,
		trial_until = NULL`, key, at(until))
}

// CloseNextcloud closes the gate for everybody: Nextcloud does not answer. One
// of them tries again afterwards.
func (s *Statements) CloseNextcloud(ctx context.Context, until time.Time) error {
	return s.gate(ctx, `proved = '', closed_until = $1, trial_until = NULL, outages = outages + 1`, at(until))
}

// PauseNextcloudEdits notes until when Nextcloud takes no more edits.
func (s *Statements) PauseNextcloudEdits(ctx context.Context, until time.Time) error {
	return s.gate(ctx, `edits_until = $1`, at(until))
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
	return s.gate(ctx, `swept_at = $1`, at(last))
}

func (s *Statements) gate(ctx context.Context, set string, args ...any) error {
	if _, err := s.exec(ctx, `UPDATE nextcloud_gate SET `+set, args...); err != nil {
		return fmt.Errorf("gate of Nextcloud: %w", err)
	}
	return nil
}
