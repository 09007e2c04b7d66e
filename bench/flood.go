package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	floodClients = 64
	askers       = 16  // signed-in clients that share the rate
	askRate      = 200 // their requests per second
)

// A flood is clients that log in without a pause.
type flood struct {
	name    string
	clients int
	obey    bool // wait as Retry-After says
}

func floods() []flood {
	return []flood{{name: "flood-none"}, {"flood-obeying", floodClients, true}, {"flood-hammering", floodClients, false}}
}

// measureFlood measures how long "who am I" takes in an open loop while others flood
// the login. The first clients of the target flood it, the last ones ask.
func (t *target) measureFlood(ctx context.Context, f flood, d time.Duration) (result, error) {
	ctx, leave := context.WithCancel(ctx)
	var served, refused atomic.Int64
	var flooding sync.WaitGroup
	errs := make([]error, f.clients)
	for i, c := range t.clients[:f.clients] {
		flooding.Go(func() {
			if errs[i] = c.connect(t.address, t.tls); errs[i] == nil {
				errs[i] = c.flood(ctx, f.obey, &served, &refused)
			}
		})
	}
	begin := time.Now()
	s := scenario{name: f.name, steps: []func(*client) error{(*client).whoAmI}}
	r, err := t.measure(s, t.clients[floodClients:], askRate, d)
	seconds := time.Since(begin).Seconds()
	r.Logins, r.Refused = float64(served.Load())/seconds, float64(refused.Load())/seconds
	leave()
	flooding.Wait()
	for _, e := range errs {
		if err == nil {
			err = e
		}
	}
	return r, err
}

// flood logs in until ctx ends. A client that obeys returns within the second after
// the time that Retry-After names.
func (c *client) flood(ctx context.Context, obey bool, served, refused *atomic.Int64) error {
	request := post("/api/auth/login", "", c.credentials())
	for ctx.Err() == nil {
		resp, err := c.do(request)
		switch {
		case err != nil:
			return err
		case resp.status == http.StatusOK:
			served.Add(1)
		case resp.status != http.StatusServiceUnavailable || resp.retryAfter == 0:
			return fmt.Errorf("a login in a flood: status %d, Retry-After %v: %s", resp.status, resp.retryAfter, resp.body)
		default:
			refused.Add(1)
			if obey {
				select {
				case <-time.After(resp.retryAfter + rand.N(time.Second)):
				case <-ctx.Done():
				}
			}
		}
	}
	return nil
}
