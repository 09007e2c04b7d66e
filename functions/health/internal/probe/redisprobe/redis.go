// Package redisprobe checks whether a Redis server responds; see package probe.
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

// A Redis probes one server over one connection. It connects at first use and again after
// a failure.
type Redis struct {
	opts   *redis.Options
	client atomic.Pointer[redis.Client]
}

// Open returns a probe of the server at u: redis:// or rediss:// (over TLS), with user,
// password and database number as usual for Redis clients. It does not connect. Its error
// contains no credentials and no addresses.
func Open(u *url.URL) (*Redis, error) {
	opts, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, errors.New("it is no URL such as redis://:password@host:6379/0")
	}
	opts.PoolSize = 1
	opts.MaxRetries, opts.DialerRetries = -1, 1 // the next probe is the retry
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = probe.Timeout, probe.Timeout, probe.Timeout
	opts.ContextTimeoutEnabled = true
	// Connect in one round trip instead of three; a probe needs nothing else.
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
		// The first word of an error from Redis is its code; the rest may contain anything.
		code, _, _ := strings.Cut(said.Error(), " ")
		failure.Text = "answered with the error " + code
	} else {
		r.renew(client)
	}
	return failure
}

// renew replaces a failed client. A pool that could not dial returns the same error for up
// to another second without trying, and a probe must not report a recovered server as
// down.
func (r *Redis) renew(failed *redis.Client) {
	if r.client.CompareAndSwap(failed, redis.NewClient(r.opts)) {
		failed.Close()
	}
}

// Close closes the connection.
func (r *Redis) Close() error { return r.client.Load().Close() }
