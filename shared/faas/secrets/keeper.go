package secrets

import (
	"context"
	"sync"
	"time"
)

const (
	// MaxAge is how long values are used before they are read again: a rotation
	// is noticed by then, where nothing notices it before.
	MaxAge = 5 * time.Minute
	// RetryAfter is how long values past MaxAge are used on, after they could not
	// be read again.
	RetryAfter = 30 * time.Second
	// MinAge is how long values are trusted that somebody doubts.
	MinAge = 3 * time.Second

	fetchTimeout = 8 * time.Second // of all secrets together
	patience     = time.Second     // how long values that worked wait for newer ones
)

// A Keeper remembers what a fetch returned and fetches again when that is old.
// Safe for concurrent use: however many ask, one fetch runs at a time.
//
// It compares wall clocks: while a Lambda instance is frozen, the monotonic one
// may stand still.
type Keeper struct {
	fetch func(context.Context) (*Values, error)

	mu     sync.Mutex
	values *Values   // the last that worked; nil before
	read   time.Time // when they were fetched
	tried  time.Time // when the last fetch ended
	flight *flight   // the fetch that runs; nil when none does
}

// A flight is one fetch.
type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

// NewKeeper returns a Keeper of what fetch returns. The context of fetch is not
// canceled with that of the caller, since others may wait for it, too.
func NewKeeper(fetch func(context.Context) (*Values, error)) *Keeper { return &Keeper{fetch: fetch} }

// Values returns the values, at most [MaxAge] old unless they cannot be read.
// As long as they are the same, they are the same pointer. It fails only where
// no fetch ever worked.
func (k *Keeper) Values(ctx context.Context) (*Values, error) {
	k.mu.Lock()
	if k.values != nil && (!older(k.read, MaxAge) || !older(k.tried, RetryAfter) || k.flight != nil) {
		defer k.mu.Unlock()
		return k.values, nil
	}
	return k.wait(ctx)
}

// Renew is [Keeper.Values] for somebody who was refused with them: it fetches
// again unless that was just done.
func (k *Keeper) Renew(ctx context.Context) (*Values, error) {
	k.mu.Lock()
	if k.values != nil && k.flight == nil && !older(k.tried, MinAge) {
		defer k.mu.Unlock()
		return k.values, nil
	}
	return k.wait(ctx)
}

// wait takes part in a fetch, with k.mu held, and lets go of it.
func (k *Keeper) wait(ctx context.Context) (*Values, error) {
	f := k.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		k.flight = f
		go k.fly(context.WithoutCancel(ctx), f)
	}
	if k.values != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	k.mu.Unlock()
	var err error
	select {
	case <-f.done:
		err = f.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.values != nil {
		return k.values, nil
	}
	return nil, err
}

// fly fetches and keeps what came.
func (k *Keeper) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	v, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried = now()
	if err == nil {
		k.read = k.tried
		if k.values == nil || !k.values.equal(v) {
			k.values = v
		}
	}
	f.err, k.flight = err, nil
	close(f.done)
}

// older reports whether t is at least age ago. A clock that was set back makes
// everything old.
func older(t time.Time, age time.Duration) bool {
	since := now().Sub(t)
	return since < 0 || since >= age
}

// now returns the time of the wall clock alone.
func now() time.Time { return time.Now().Round(0) }
