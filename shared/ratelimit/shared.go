package ratelimit

import (
	"context"
	"sync"
	"time"
)

// A Store keeps limits for several processes. Take judges a request of the key
// at now with the rule of [Bounds.Take], in one atomic step, and returns what it
// keeps from now on. It is safe for concurrent use.
type Store interface {
	Take(ctx context.Context, key Key, l Limit, now time.Time) (kept time.Time, allowed bool, err error)
}

// A Sweeper is a store in which keys stay that are at their full burst again.
// Sweep removes some of them.
type Sweeper interface {
	Sweep(ctx context.Context, now time.Time) error
}

const (
	pause      = 2 * time.Second // in which a store that failed is left alone
	quiet      = time.Minute     // between two reports of that
	sweepEvery = 1000            // requests; at most as many keys can have been added
)

// A fence stands between the limiter and a store, so that a store that is slow or
// down costs few requests little time.
type fence struct {
	store   Store
	timeout time.Duration
	report  func(err error) // that the store failed, or nil: that it answers again

	mu       sync.Mutex
	closed   time.Time // the store is left alone until then; zero: it answers
	reported time.Time // when a failure was last reported
	down     bool      // that failure is the last thing reported
	taken    int
}

// take asks the store. ok tells whether it answered.
func (f *fence) take(ctx context.Context, key Key, l Limit, now time.Time) (kept time.Time, allowed, ok bool) {
	if !f.open(now) {
		return time.Time{}, false, false
	}
	// A client that hangs up must not look like a store that is down, nor get
	// its request uncounted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	defer cancel()
	kept, allowed, err := f.store.Take(ctx, key, l, now)
	if err != nil {
		f.failed(now, err)
		return time.Time{}, false, false
	}
	if f.answered() {
		f.store.(Sweeper).Sweep(ctx, now) //nolint:errcheck // best effort
	}
	return kept, allowed, true
}

// open reports whether the store is to be asked. Once the pause is over, one
// request finds out for all how it does; the others go on without it meanwhile.
func (f *fence) open(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed.IsZero() {
		return true
	}
	if left := f.closed.Sub(now); left > 0 && left <= pause { // more: the clock was set back
		return false
	}
	f.closed = now.Add(pause)
	return true
}

func (f *fence) failed(now time.Time, err error) {
	f.mu.Lock()
	f.closed = now.Add(pause)
	silent := now.Sub(f.reported).Abs() < quiet
	if !silent {
		f.reported, f.down = now, true
	}
	f.mu.Unlock()
	if !silent {
		f.report(err)
	}
}

// answered notes that the store answers and reports whether it is time to sweep
// it.
func (f *fence) answered() (sweep bool) {
	f.mu.Lock()
	back := f.down
	f.closed, f.down = time.Time{}, false
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
