package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/ratelimit"
)

// RateLimits counts rate limits for all processes that share the database. It
// implements [ratelimit.Store] and [ratelimit.Sweeper].
type RateLimits struct{ on *Statements }

// RateLimits returns the rate limits in the database.
func (s *Statements) RateLimits() RateLimits { return RateLimits{s} }

var (
	_ ratelimit.Store   = RateLimits{}
	_ ratelimit.Sweeper = RateLimits{}
)

// Take decides on a request in one statement: [ratelimit.Bounds.Take] in SQL.
// The row lock of the upsert makes it atomic at any isolation level.
func (r RateLimits) Take(
	ctx context.Context, key ratelimit.Key, l ratelimit.Limit, now time.Time,
) (kept time.Time, allowed bool, err error) {
	b := l.At(now)
	var micros int64
	err = r.on.queryRow(ctx, nil, []any{&micros, &allowed}, `
		INSERT INTO rate_limits (key, kept, allowed) VALUES ($1, $2, TRUE)
		ON CONFLICT (key) DO UPDATE SET
			kept = CASE
				WHEN rate_limits.kept <= $3 THEN $2
				WHEN rate_limits.kept <= $4 THEN rate_limits.kept + $5
				WHEN rate_limits.kept <= $6 THEN rate_limits.kept
				ELSE $6
			END,
			allowed = rate_limits.kept <= $4
		RETURNING kept, allowed`,
		key[:], b.Now+b.Interval, b.Now, b.Last, b.Interval, b.Full)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("take from a rate limit: %w", err)
	}
	return time.UnixMicro(micros), allowed, nil
}

const (
	sweepBatch = 10_000      // maximum number of rows in one sweep
	clockSkew  = time.Minute // how far the clock of another process may be behind
)

// Sweep deletes rows that have their full burst again: a missing row means the
// same.
func (r RateLimits) Sweep(ctx context.Context, now time.Time) error {
	_, err := r.on.exec(ctx, `
		DELETE FROM rate_limits WHERE key IN (
			SELECT key FROM rate_limits WHERE kept < $1 LIMIT $2`+r.on.dialect.SkipLocked+`)`,
		now.Add(-clockSkew).UnixMicro(), sweepBatch)
	if err != nil {
		return fmt.Errorf("sweep rate limits: %w", err)
	}
	return nil
}
