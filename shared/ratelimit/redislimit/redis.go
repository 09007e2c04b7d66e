// Package redislimit keeps rate limits in Redis; see ratelimit.
package redislimit

import (
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// prefix begins the name of every key, so that a Redis may have other uses, too.
const prefix = "voiceassist:limit:"

// connTimeout bounds one attempt to reach the server; who asks gives up earlier.
const connTimeout = time.Second

// A Store keeps limits in one Redis server, version 2.6 or newer, or what speaks
// its protocol. Keys expire by themselves. It is safe for concurrent use.
type Store struct {
	client *redis.Client
	take   *redis.Script
}

var _ ratelimit.Store = (*Store)(nil)

//go:embed take.lua
var script string

// Read returns the store at REDIS_URL, or nil where that is refused.
func Read(env *config.Env) ratelimit.Store {
	u := env.URL("REDIS_URL", "redis", "rediss")
	if u == nil {
		if env.Secret("REDIS_URL") == "" {
			env.RefuseSecret("REDIS_URL", "is not set", "redis://:password@host:6379/0, because RATE_LIMIT_STORE is "+ratelimit.InRedis)
		}
		return nil
	}
	s, err := Open(u)
	if err != nil {
		env.RefuseSecret("REDIS_URL", err.Error(), "redis://:password@host:6379/0")
		return nil
	}
	return s
}

// Open returns the store at u, redis:// or rediss:// (over TLS). It does not
// connect. The error quotes no credentials.
func Open(u *url.URL) (*Store, error) {
	opts, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, errors.New("is no URL such as redis://:password@host:6379/0")
	}
	// The limiter leaves a server alone that failed, and tries again by itself.
	opts.MaxRetries, opts.DialerRetries = -1, 1
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = connTimeout, connTimeout, connTimeout
	opts.ContextTimeoutEnabled = true
	opts.DisableIdentity = true // two round trips fewer for each connection
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Store{client: redis.NewClient(opts), take: redis.NewScript(script)}, nil
}

// Take judges a request in one round trip.
func (s *Store) Take(
	ctx context.Context, key ratelimit.Key, l ratelimit.Limit, now time.Time,
) (kept time.Time, allowed bool, err error) {
	b := l.At(now)
	// As text, which a Lua number of Redis would be cut to an integer from, too,
	// but in another way in each version.
	result, err := s.take.Run(ctx, s.client, []string{prefix + hex.EncodeToString(key[:])}, b.Now, b.Interval, b.Last, b.Full).StringSlice()
	if err != nil {
		return time.Time{}, false, fmt.Errorf("take from a rate limit: %w", err)
	}
	const kinds = 2
	if len(result) != kinds {
		return time.Time{}, false, fmt.Errorf("take from a rate limit: %d values", len(result))
	}
	micros, err := strconv.ParseInt(result[0], 10, 64)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("take from a rate limit: %w", err)
	}
	return time.UnixMicro(micros), result[1] == "1", nil
}

// Close ends all connections.
func (s *Store) Close() error { return s.client.Close() }
