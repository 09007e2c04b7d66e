package redislimit_test

import (
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/ratelimit/ratelimittest"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit/redistest"
)

func open(tb testing.TB, u *url.URL) *redislimit.Store {
	tb.Helper()
	s, err := redislimit.Open(u)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func TestStore_FollowsTheRule(t *testing.T) {
	t.Parallel()
	ratelimittest.TestStore(t, open(t, redistest.Start(t).URL()))
}

func TestStore_SharesOneBudget(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	ratelimittest.TestConcurrency(t, open(t, server.URL()), open(t, server.URL()))
}

func TestStore_KeysExpireAndContainNoAddress(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	l := limiter(t, server.URL(), time.Now, nil)
	l.Account(t.Context(), ratelimit.Login, "ada@example.org")
	opts, err := redis.ParseURL(server.URL().String())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	defer c.Close()
	names, err := c.Keys(t.Context(), "*").Result()
	if err != nil || len(names) != 1 || !strings.HasPrefix(names[0], "voiceassist:limit:") || strings.Contains(names[0], "ada") {
		t.Fatalf("Redis holds %q, %v", names, err)
	}
	ttl, err := c.PTTL(t.Context(), names[0]).Result()
	if err != nil || ttl <= 0 || ttl > 12*time.Second {
		t.Errorf("got a TTL of %v, %v; the full burst is available in 12 s", ttl, err)
	}
}

// limiter returns a limiter under the usual settings that counts in Redis.
func limiter(tb testing.TB, u *url.URL, now func() time.Time, report func(error)) *ratelimit.Limiter {
	tb.Helper()
	ring, err := keyring.New(keyring.Generate())
	if err != nil {
		tb.Fatal(err)
	}
	env := config.Map(map[string]string{"RATE_LIMIT_STORE": "redis", "REDIS_URL": u.String()})
	limits, redis := ratelimit.Settings{AllowRedis: true}, redislimit.Settings{}
	if err := env.Load(&limits, &redis); err != nil {
		tb.Fatal(err)
	}
	l := ratelimit.New(limits, ring, ratelimit.Stores{Redis: redis.Open(), Report: report}, now)
	tb.Cleanup(func() { l.Close() })
	return l
}

// TestStore_RecoversFromAnOutage kills the server of a limiter and restarts it: requests stay
// limited, and the store is used again.
func TestStore_RecoversFromAnOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	now := ratelimittest.Noon
	var reports []error
	l := limiter(t, server.URL(), func() time.Time { return now }, func(err error) { reports = append(reports, err) })
	passed := func(n int) (passed int) {
		for range n {
			if l.Account(t.Context(), ratelimit.Login, "ada@example.org") == nil {
				passed++
			}
		}
		return passed
	}
	if got := passed(3); got != 3 {
		t.Fatalf("%d of 3 pass", got)
	}
	server.Stop()
	if got := passed(50); got != 2 {
		t.Errorf("%d pass while Redis is down, want the remaining 2", got)
	}
	last := func() error { return reports[len(reports)-1] }
	if len(reports) == 0 || last() == nil {
		t.Fatalf("reported %v", reports)
	}
	server.Restart(t)
	// On a busy machine, Redis may also exceed the timeout.
	const tries = 100
	for try := 1; last() != nil; try++ {
		now = now.Add(time.Minute)
		if got := passed(6); last() == nil && got != 5 {
			t.Errorf("%d of 6 pass after Redis is back, want 5", got)
		}
		if try == tries {
			t.Fatalf("reported %v", reports)
		}
	}
}

func TestStore_DoesNotWaitForASlowServer(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections and never responds
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	came := make(chan net.Addr, 101) // client addresses in order
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			came <- conn.RemoteAddr()
		}
	}()
	noon := func() time.Time { return ratelimittest.Noon } // too early for a second attempt
	l := limiter(t, &url.URL{Scheme: "redis", Host: silent.Addr().String()}, noon, func(error) {})
	for range 100 {
		l.Account(t.Context(), ratelimit.Login, "ada@example.org")
	}
	last, err := net.Dial("tcp", silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	asked := 0
	for addr := range came {
		if addr.String() == last.LocalAddr().String() {
			break
		}
		asked++
	}
	if asked != 1 {
		t.Errorf("%d of 100 requests waited for the server, want only the first", asked)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ url, want string }{
		{"", `REDIS_URL is not set; it must be redis://:password@host:6379/0, because RATE_LIMIT_STORE is redis`},
		{"http://127.0.0.1", "REDIS_URL is"},
		{"redis://:hunter2@127.0.0.1/none", "REDIS_URL is no URL such as"},
	} {
		env := config.Map(map[string]string{"REDIS_URL": test.url})
		setting.Of[redislimit.Settings](env)
		if err := env.Err(); err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", test.url, err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	ratelimittest.Benchmark(b, open(b, redistest.Start(b).URL()))
}
