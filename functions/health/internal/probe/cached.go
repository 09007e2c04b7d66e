package probe

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Cached returns a probe that calls p once per ttl and never concurrently, however many
// callers there are: a load balancer's health checks must not become load on the
// dependencies. If the caller that started a call of p leaves, the call continues and the
// other callers get its result. Each caller waits no longer than its own ctx allows.
func Cached(p Probe, ttl time.Duration) Probe {
	c := &cache{probe: p, ttl: ttl}
	return c.ask
}

type cache struct {
	probe Probe
	ttl   time.Duration
	calls singleflight.Group
	last  atomic.Pointer[result] // nil before the first result
}

type result struct {
	at  time.Time
	err error
}

// fresh returns the last result, or nil if it is older than the ttl.
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
		return r.err // another call has ended since the caller checked
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := c.probe(ctx)
	c.last.Store(&result{at: time.Now(), err: err})
	return err
}
