package probe

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Cached returns a probe that calls p at most once at a time and once per ttl,
// however many callers there are: the health checks of a load balancer must not
// become load on what they check. A call of p continues when the caller that
// started it leaves, and the others get its result; each caller waits no longer
// than its own ctx.
func Cached(p Probe, ttl time.Duration) Probe {
	c := &cache{probe: p, ttl: ttl}
	return c.ask
}

type cache struct {
	probe Probe
	ttl   time.Duration
	calls singleflight.Group
	last  atomic.Pointer[result] // nil before the first
}

type result struct {
	at  time.Time
	err error
}

// fresh returns the last result, or nil if there is none within the ttl.
func (c *cache) fresh() *result {
	if r := c.last.Load(); r != nil && time.Since(r.at) < c.ttl {
		return r
	}
	return nil
}

func (c *cache) ask(ctx context.Context) error {
	if r := c.fresh(); r != nil {
		return r.err
	}
	called := c.calls.DoChan("", func() (any, error) { return nil, c.call(context.WithoutCancel(ctx)) })
	select {
	case r := <-called:
		return r.Err
	case <-ctx.Done():
		return Failed(ctx.Err())
	}
}

func (c *cache) call(ctx context.Context) error {
	if r := c.fresh(); r != nil {
		return r.err // another call ended since the caller looked
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := c.probe(ctx)
	c.last.Store(&result{at: time.Now(), err: err})
	return err
}
