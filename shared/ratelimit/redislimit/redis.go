// Package redislimit keeps rate limits in Redis; see package ratelimit.
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

	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// prefix starts the name of every key, so that others can use the same Redis.
const prefix = "voiceassist:limit:"

// connTimeout bounds one attempt to connect; the caller gives up earlier.
const connTimeout = time.Second

// A Store keeps limits in one Redis server of version 2.6 or newer, or a compatible one.
// Keys expire. It is safe for concurrent use.
type Store struct {
	client *redis.Client
	take   *redis.Script
}

var _ ratelimit.Store = (*Store)(nil)

//go:embed take.lua
var script string

// Settings name a Redis server.
type Settings struct{ options *redis.Options }

// Load loads REDIS_URL, which is required.
func (s *Settings) Load(r setting.Reader) {
	u := r.URL("REDIS_URL", "redis", "rediss")
	if u == nil {
		if r.Secret("REDIS_URL") == "" {
			r.RefuseSecret("REDIS_URL", "is not set", "redis://:password@host:6379/0, because RATE_LIMIT_STORE is "+ratelimit.InRedis)
		}
		return
	}
	var err error
	if s.options, err = parse(u); err != nil {
		r.RefuseSecret("REDIS_URL", err.Error(), "redis://:password@host:6379/0")
	}
}

// Open returns the store on the server. It does not connect.
func (s *Settings) Open() *Store { return open(s.options) }

// Open returns the store at u, redis:// or rediss:// (over TLS). It does not connect. Its
// error contains no credentials.
func Open(u *url.URL) (*Store, error) {
	opts, err := parse(u)
	if err != nil {
		return nil, err
	}
	return open(opts), nil
}

func parse(u *url.URL) (*redis.Options, error) {
	opts, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, errors.New("is no URL such as redis://:password@host:6379/0")
	}
	// The limiter pauses after a failure and then retries.
	opts.MaxRetries, opts.DialerRetries = -1, 1
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = connTimeout, connTimeout, connTimeout
	opts.ContextTimeoutEnabled = true
	opts.DisableIdentity = true // saves two round trips for each connection
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return opts, nil
}

func open(opts *redis.Options) *Store {
	return &Store{client: redis.NewClient(opts), take: redis.NewScript(script)}
}

// Take decides a request in one round trip.
func (s *Store) Take(
	ctx context.Context, key ratelimit.Key, l ratelimit.Limit, now, known time.Time,
) (kept time.Time, allowed bool, err error) {
	b := l.At(now)
	// As text: Redis truncates Lua numbers to integers, and differently in each version.
	result, err := s.take.Run(ctx, s.client, []string{prefix + hex.EncodeToString(key[:])}, b.Now, b.Interval, b.Last, b.Full, known.UnixMicro()).StringSlice()
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

// Close closes all connections.
func (s *Store) Close() error { return s.client.Close() }
