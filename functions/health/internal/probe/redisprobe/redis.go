// Package redisprobe checks whether a Redis server responds; see package probe.
package redisprobe

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// A Redis probes one server over one connection. It connects at first use and again after
// a failure.
type Redis struct {
	opts   *redis.Options
	client atomic.Pointer[redis.Client]
}

// Settings name a Redis server, or none.
type Settings struct{ options *redis.Options }

// Load loads REDIS_URL: redis:// or rediss:// (over TLS), with user, password and database
// number as usual for Redis clients.
func (s *Settings) Load(r setting.Reader) {
	u := r.URL("REDIS_URL", "redis", "rediss")
	if u == nil {
		return
	}
	opts, err := redis.ParseURL(u.String())
	if err != nil { // it may quote the password
		r.RefuseSecret("REDIS_URL", "is not usable (it is no URL such as redis://:password@host:6379/0)", "redis://user:password@host:6379/0")
		return
	}
	opts.PoolSize = 1
	opts.MaxRetries, opts.DialerRetries = -1, 1 // the next probe is the retry
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = probe.Timeout, probe.Timeout, probe.Timeout
	opts.ContextTimeoutEnabled = true
	// Connect in one round trip instead of three; a probe needs nothing else.
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	s.options = opts
}

// Open returns a probe of the server, or nil if there is none. It does not connect.
func (s *Settings) Open() *Redis {
	if s.options == nil {
		return nil
	}
	r := &Redis{opts: s.options}
	r.client.Store(redis.NewClient(s.options))
	return r
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
	if reply, ok := errors.AsType[redis.Error](err); ok {
		// The first word of an error from Redis is its code; the rest may contain anything.
		code, _, _ := strings.Cut(reply.Error(), " ")
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
