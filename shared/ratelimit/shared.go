package ratelimit

import (
	"context"
	"sync"
	"time"
)

// A Store keeps limits for several processes. Take decides a request of the key at now
// with the rule of [Bounds.Take], in one atomic step, and returns the time that it keeps. If
// it has none for the key, it continues from known, which it may have returned before it
// lost its data; the Unix epoch stands for none. A Store is safe for concurrent use.
type Store interface {
	Take(ctx context.Context, key Key, l Limit, now, known time.Time) (kept time.Time, allowed bool, err error)
}

// A Sweeper is a store that does not remove restored keys on its own. Sweep removes some
// of them.
type Sweeper interface {
	Sweep(ctx context.Context, now time.Time) error
}

const (
	breakerPause   = 2 * time.Second // for which a failed store is not used
	reportInterval = time.Minute     // between two reports of failures
	sweepEvery     = 1000            // requests; at most as many keys can have been added
)

// A breaker is a circuit breaker between the limiter and a store: a slow or failed store
// delays few requests, and those only briefly.
type breaker struct {
	store   Store
	timeout time.Duration
	report  func(err error) // called with a failure, or with nil when the store works again

	mu        sync.Mutex
	openUntil time.Time // the store is not used until then; zero: it works
	reported  time.Time // when a failure was last reported
	down      bool      // the last report was a failure
	taken     int
}

// take calls the store. ok reports whether the store succeeded.
func (f *breaker) take(ctx context.Context, key Key, l Limit, now, known time.Time) (kept time.Time, allowed, ok bool) {
	if !f.allow(now) {
		return time.Time{}, false, false
	}
	// A client that disconnects must not look like a failed store, and its request must be
	// counted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	defer cancel()
	kept, allowed, err := f.store.Take(ctx, key, l, now, known)
	if err != nil {
		f.recordFailure(now, err)
		return time.Time{}, false, false
	}
	if f.recordSuccess() {
		f.store.(Sweeper).Sweep(ctx, now) //nolint:errcheck // best effort
	}
	return kept, allowed, true
}

// allow reports whether to call the store. After the pause, a single request tries it; the
// others continue without it meanwhile.
func (f *breaker) allow(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.openUntil.IsZero() {
		return true
	}
	if left := f.openUntil.Sub(now); left > 0 && left <= breakerPause { // more than breakerPause: the clock was set back
		return false
	}
	f.openUntil = now.Add(breakerPause)
	return true
}

// isOpen reports whether the store has failed since it last worked.
func (f *breaker) isOpen() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.openUntil.IsZero()
}

func (f *breaker) recordFailure(now time.Time, err error) {
	f.mu.Lock()
	f.openUntil = now.Add(breakerPause)
	silent := now.Sub(f.reported).Abs() < reportInterval
	if !silent {
		f.reported, f.down = now, true
	}
	f.mu.Unlock()
	if !silent {
		f.report(err)
	}
}

// recordSuccess records a success and reports whether it is time to sweep the store.
func (f *breaker) recordSuccess() (sweep bool) {
	f.mu.Lock()
	back := f.down
	f.openUntil, f.down = time.Time{}, false
	f.taken++
	if _, sweeps := f.store.(Sweeper); sweeps && f.taken >= sweepEvery {
		f.taken, sweep = 0, true
	}
	f.mu.Unlock()
	if back {
		f.report(nil)
	}
	return sweep
}
