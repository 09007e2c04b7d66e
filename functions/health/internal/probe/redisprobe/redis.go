// Package redisprobe asks a Redis server whether it answers; see probe.
package redisprobe

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
)

// A Redis probes one server over one connection, which it opens at first use and
// again after a failure.
type Redis struct {
	opts   *redis.Options
	client atomic.Pointer[redis.Client]
}

// Open returns a probe of the server at u, redis:// or rediss:// (over TLS) with
// user, password and number of the database as Redis clients take them. It does
// not connect. The error quotes neither credentials nor addresses.
func Open(u *url.URL) (*Redis, error) {
	opts, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, errors.New("it is no URL such as redis://:password@host:6379/0")
	}
	opts.PoolSize = 1
	opts.MaxRetries, opts.DialerRetries = -1, 1 // the next probe is the retry
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = probe.Timeout, probe.Timeout, probe.Timeout
	opts.ContextTimeoutEnabled = true
	// One round trip at the start instead of three: a probe has no use for them.
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	r := &Redis{opts: opts}
	r.client.Store(redis.NewClient(opts))
	return r, nil
}

// Check sends PING, at most for [probe.Timeout]. It is a [probe.Probe].
func (r *Redis) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probe.Timeout)
	defer cancel()
	client := r.client.Load()
	err := client.Ping(ctx).Err()
	if err == nil {
		return nil
	}
	failure := probe.Failed(err)
	if said, ok := errors.AsType[redis.Error](err); ok {
		// The first word of Redis' answer is its code, the rest may be anything.
		code, _, _ := strings.Cut(said.Error(), " ")
		failure.Text = "answered with the error " + code
	} else {
		r.renew(client)
	}
	return failure
}

// renew puts a new client in the place of one that failed. A pool that could not
// dial answers with that error for up to a second more without trying, and a
// probe must not call a server down that came back.
func (r *Redis) renew(failed *redis.Client) {
	if r.client.CompareAndSwap(failed, redis.NewClient(r.opts)) {
		failed.Close()
	}
}

// Close ends the connection.
func (r *Redis) Close() error { return r.client.Load().Close() }
