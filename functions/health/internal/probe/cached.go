package probe

import (
	"context"
	"sync"
	"time"
)

// Cached returns a probe that asks p at most once at a time and once per ttl,
// however many ask it: health checks of a load balancer must not become load on
// what they check. A run goes on when the caller that started it leaves, and the
// others get its outcome; each caller waits no longer than its own ctx.
func Cached(p Probe, ttl time.Duration) Probe {
	c := &cache{probe: p, ttl: ttl}
	return c.ask
}

type cache struct {
	probe Probe
	ttl   time.Duration

	mu   sync.Mutex
	last *run // nil before the first
}

// A run is one call of the probe. Its other fields may be read once done is closed.
type run struct {
	done chan struct{}
	at   time.Time
	err  error
}

func (r *run) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (c *cache) ask(ctx context.Context) error {
	r := c.current(ctx)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return Failed(ctx.Err())
	}
}

// current returns the run that answers a question asked now.
func (c *cache) current(ctx context.Context) *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.last; r != nil && (!r.over() || time.Since(r.at) < c.ttl) {
		return r
	}
	r := &run{done: make(chan struct{})}
	c.last = r
	go func() {
		defer close(r.done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Timeout)
		defer cancel()
		r.err = c.probe(ctx)
		r.at = time.Now()
	}()
	return r
}
