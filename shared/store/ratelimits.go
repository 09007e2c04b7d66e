package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
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
	ctx context.Context, key ratelimit.Key, l ratelimit.Limit, now, known time.Time,
) (kept time.Time, allowed bool, err error) {
	b := l.At(now)
	first, passes := b.Take(known.UnixMicro())
	var micros int64
	err = r.on.queryRow(ctx, nil, []any{&micros, &allowed}, `
		INSERT INTO rate_limits (key, kept, allowed) VALUES ($1, $7, $8)
		ON CONFLICT (key) DO UPDATE SET
			kept = CASE
				WHEN rate_limits.kept <= $3 THEN $2
				WHEN rate_limits.kept <= $4 THEN rate_limits.kept + $5
				WHEN rate_limits.kept <= $6 THEN rate_limits.kept
				ELSE $6
			END,
			allowed = rate_limits.kept <= $4
		RETURNING kept, allowed`,
		key[:], b.Now+b.Interval, b.Now, b.Last, b.Interval, b.Full, first, passes)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("take from a rate limit: %w", err)
	}
	return time.UnixMicro(micros), allowed, nil
}

const (
	clockSkew  = time.Minute // how far the clock of another process may be behind
	sweepBatch = 2000        // rows that a statement looks at; they are in one index, and small
)

// Sweep deletes rows that have their full burst again: a missing row means the same. It
// looks at some rows only, from a random place on, so its cost has a bound. The limiter
// calls it whenever half as many may have been added.
func (r RateLimits) Sweep(ctx context.Context, now time.Time) error {
	var first ratelimit.Key
	if _, err := rand.Read(first[:]); err != nil { // keys are hashes, so they are spread evenly
		return err
	}
	for range 2 {
		last, _, err := r.sweepAfter(ctx, first[:], now)
		if err != nil || last != nil {
			return err
		}
		clear(first[:]) // at the end; go on at the beginning
	}
	return nil
}

// SweepAll is [RateLimits.Sweep] for all rows, in batches. It may stop at any point, and
// several processes may call it at once.
func (r RateLimits) SweepAll(ctx context.Context, now time.Time) error {
	last := make([]byte, len(ratelimit.Key{}))
	_, err := inBatches(ctx, func() (looked int64, err error) {
		last, looked, err = r.sweepAfter(ctx, last, now)
		return looked, err
	})
	return err
}

// sweepAfter looks at a batch of rows after a key. It returns the last key of the batch, or
// nil at the end of the table, and how many rows it looked at.
func (r RateLimits) sweepAfter(ctx context.Context, key []byte, now time.Time) (last []byte, looked int64, err error) {
	looked = sweepBatch
	err = r.on.queryRow(ctx, errNoMatch, []any{&last}, `
		SELECT key FROM rate_limits WHERE key > $1 ORDER BY key LIMIT 1 OFFSET $2`, key, sweepBatch-1)
	end := last
	if errors.Is(err, errNoMatch) { // fewer are left than a batch has
		end, looked, err = bytes.Repeat([]byte{0xff}, len(ratelimit.Key{})+1), 0, nil
	}
	if err == nil {
		_, err = r.on.exec(ctx, `
			WITH batch AS MATERIALIZED (
				SELECT key FROM rate_limits WHERE key > $1 AND key <= $2 AND kept < $3`+r.on.dialect.SkipLocked+`)
			DELETE FROM rate_limits WHERE key IN (SELECT key FROM batch)`, key, end, now.Add(-clockSkew).UnixMicro())
	}
	if err != nil {
		return nil, 0, fmt.Errorf("sweep rate limits: %w", err)
	}
	return last, looked, nil
}
