package secrets

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// MaxAge is how long values are used before they are read again, unless a
	// service refuses them earlier.
	MaxAge = 5 * time.Minute
	// RetryAfter is the pause between attempts to read values past MaxAge again.
	RetryAfter = 30 * time.Second
	// MinAge is how long values are used even if a service refuses them.
	MinAge = 3 * time.Second

	fetchTimeout = 8 * time.Second // for all secrets together
	maxWait      = time.Second     // for newer values, if there are older ones
)

// A Keeper caches the result of a fetch and fetches again when the result is old. It is
// safe for concurrent use. Only one fetch runs at a time, however many callers wait.
//
// It compares wall clocks: while a Lambda instance is frozen, the monotonic clock
// may stand still.
type Keeper struct {
	fetch   func(context.Context) (*Values, error)
	fetches singleflight.Group

	mu       sync.Mutex
	values   *Values   // of the last successful fetch; nil before
	read     time.Time // when that fetch ended
	tried    time.Time // when the last fetch ended
	fetching bool
}

// NewKeeper returns a Keeper that calls fetch. The context of fetch does not end with the
// caller's, because other callers may wait for the same fetch.
func NewKeeper(fetch func(context.Context) (*Values, error)) *Keeper { return &Keeper{fetch: fetch} }

// Values returns the values. They are at most [MaxAge] old, unless newer ones cannot be
// read. While the values are equal, the pointer stays the same. Values fails only if no
// fetch has ever succeeded.
func (k *Keeper) Values(ctx context.Context) (*Values, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.values != nil && (!older(k.read, MaxAge) || !older(k.tried, RetryAfter) || k.fetching) {
		return k.values, nil
	}
	return k.wait(ctx)
}

// Renew is [Keeper.Values] for a caller that a service refused with the current values. It
// fetches again, unless the last fetch ended less than [MinAge] ago.
func (k *Keeper) Renew(ctx context.Context) (*Values, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.values != nil && !k.fetching && !older(k.tried, MinAge) {
		return k.values, nil
	}
	return k.wait(ctx)
}

// wait starts or joins a fetch and waits for it. The caller holds k.mu, which wait
// releases meanwhile.
func (k *Keeper) wait(ctx context.Context) (*Values, error) {
	shared := context.WithoutCancel(ctx) // the fetch serves others, too
	fetched := k.fetches.DoChan("", func() (any, error) { return nil, k.update(shared) })
	if k.values != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxWait)
		defer cancel()
	}
	k.mu.Unlock()
	var err error
	select {
	case r := <-fetched:
		err = r.Err
	case <-ctx.Done():
		err = ctx.Err()
	}
	k.mu.Lock()
	if k.values != nil {
		return k.values, nil
	}
	return nil, err
}

// update fetches and keeps the result if it differs.
func (k *Keeper) update(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	k.mu.Lock()
	k.fetching = true
	k.mu.Unlock()
	v, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fetching = false
	k.tried = now()
	if err != nil {
		return err
	}
	k.read = k.tried
	if k.values == nil || !k.values.equal(v) {
		k.values = v
	}
	return nil
}

// older reports whether t is at least age ago, or in the future because the clock was set
// back.
func older(t time.Time, age time.Duration) bool {
	since := now().Sub(t)
	return since < 0 || since >= age
}

// now returns the time without a monotonic clock reading.
func now() time.Time { return time.Now().Round(0) }
