package ratelimit_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// A store is a store in memory that can be made to fail.
type store struct {
	memory *ratelimit.Memory
	mu     sync.Mutex
	err    error
	hangs  bool
	asked  atomic.Int64
	swept  atomic.Int64
	keys   sync.Map
}

func newStore() *store { return &store{memory: ratelimit.NewMemory(100_000)} }

func (s *store) set(err error, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.hangs = err, hangs
}

func (s *store) Take(ctx context.Context, k ratelimit.Key, l ratelimit.Limit, now, _ time.Time) (time.Time, bool, error) {
	s.asked.Add(1)
	s.keys.Store(k, true)
	if err := ctx.Err(); err != nil {
		return time.Time{}, false, err
	}
	s.mu.Lock()
	err, hangs := s.err, s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return time.Time{}, false, ctx.Err()
	}
	if err != nil {
		return time.Time{}, false, err
	}
	d := s.memory.Take(k, l.At(now))
	return time.UnixMicro(s.memory.Peek(k)), d.Allowed, nil
}

func (s *store) Sweep(context.Context, time.Time) error {
	s.swept.Add(1)
	return nil
}

func ring(tb testing.TB) *keyring.Ring {
	tb.Helper()
	r, err := keyring.New(keyring.Generate())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// limiter returns a limiter with the default settings, except for vars, and with s as the
// database.
func limiter(tb testing.TB, ring *keyring.Ring, s ratelimit.Store, report func(error), vars ...string) *ratelimit.Limiter {
	tb.Helper()
	m := map[string]string{"RATE_LIMIT_STORE": ratelimit.InDatabase}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		m[name] = value
	}
	env := config.Map(m)
	l := ratelimit.New(*setting.Of[ratelimit.Settings](env), ring, ratelimit.Stores{Database: s, Report: report}, time.Now)
	if err := env.Err(); err != nil {
		tb.Fatal(err)
	}
	return l
}

var home = netip.MustParseAddr("192.0.2.7")

func passes(l *ratelimit.Limiter, p ratelimit.Policy, from netip.Addr) bool {
	return l.Client(context.Background(), p, from).Err() == nil
}

func TestLimiter_AllowsAfterRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ring(t), newStore(), nil)
		for range 5 {
			if !passes(l, ratelimit.Login, home) {
				t.Fatal("the burst does not pass")
			}
			time.Sleep(700 * time.Millisecond) // avoids whole seconds
		}
		err := l.Client(t.Context(), ratelimit.Login, home).Err()
		f := fault.Of(err)
		if !errors.Is(err, ratelimit.ErrLimited) || f.Kind != fault.RateLimited || f.Code != "rate_limited" || f.RetryAfter <= 0 {
			t.Fatalf("got %v", err)
		}
		time.Sleep(f.RetryAfter - time.Millisecond)
		if passes(l, ratelimit.Login, home) {
			t.Error("allowed a millisecond too early")
		}
		time.Sleep(time.Millisecond)
		if !passes(l, ratelimit.Login, home) {
			t.Error("refused after Retry-After")
		}
		if passes(l, ratelimit.Login, home) {
			t.Error("two requests allowed after Retry-After")
		}
	})
}

func TestLimiter_ProcessesShareOneBudget(t *testing.T) {
	t.Parallel()
	s, keys := newStore(), ring(t)
	a, b := limiter(t, keys, s, nil), limiter(t, keys, s, nil)
	passed := 0
	for i := range 6 {
		l := a
		if i%2 == 1 {
			l = b
		}
		if passes(l, ratelimit.Login, home) {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d of 6 passed, want 5", passed)
	}
}

func TestLimiter_SkipsTheStoreIfMemoryRefuses(t *testing.T) {
	t.Parallel()
	s := newStore()
	l := limiter(t, ring(t), s, nil)
	for range 1000 {
		passes(l, ratelimit.Login, home)
	}
	if n := s.asked.Load(); n > 6 {
		t.Errorf("1000 requests over a limit of 5 made %d calls to the store", n)
	}
}

func TestLimiter_UsesMemoryWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		var reports []error
		l := limiter(t, ring(t), s, func(err error) { reports = append(reports, err) })
		for range 3 {
			passes(l, ratelimit.Login, home)
		}
		s.set(errors.New("down"), false)
		passed := 0
		for range 10 {
			if passes(l, ratelimit.Login, home) {
				passed++
			}
		}
		if passed != 2 {
			t.Errorf("%d pass while the store is down, want the remaining 2", passed)
		}
		if n := s.asked.Load(); n != 4 {
			t.Errorf("a failing store was called %d times, want once", n-3)
		}
		for range 100 { // a hundred seconds
			passes(l, ratelimit.General, home)
			time.Sleep(time.Second)
		}
		if len(reports) != 2 {
			t.Errorf("%d reports in 100 seconds, want one a minute", len(reports))
		}
		s.set(nil, false)
		before := s.asked.Load()
		for range 4 {
			passes(l, ratelimit.General, home)
			time.Sleep(time.Second)
		}
		if s.asked.Load() < before+2 || len(reports) != 3 || reports[2] != nil {
			t.Errorf("after recovery: %d calls, reports %v", s.asked.Load()-before, reports)
		}
	})
}

func TestLimiter_HangingStoreDelaysFewRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		l := limiter(t, ring(t), s, func(error) {})
		s.set(nil, true)
		start := time.Now()
		for range 50 {
			passes(l, ratelimit.General, home)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("50 requests take %v", took)
		}
	})
}

func TestLimiter_CountsClientsThatDisconnect(t *testing.T) {
	t.Parallel()
	s := newStore()
	l := limiter(t, ring(t), s, func(err error) { t.Errorf("reported %v", err) })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		l.Client(gone, ratelimit.Login, home)
	}
	if passes(l, ratelimit.Login, home) {
		t.Error("canceled requests were not counted")
	}
}

func TestLimiter_SweepsTheStorePeriodically(t *testing.T) {
	t.Parallel()
	s := newStore()
	l := limiter(t, ring(t), s, nil, "RATE_LIMIT_PER_MINUTE=100000")
	for range 3000 {
		passes(l, ratelimit.General, home)
	}
	if s.swept.Load() != 3 {
		t.Errorf("swept %d times in 3000 requests, want 3", s.swept.Load())
	}
}

func TestLimiter_CountsIPv6ByNetwork(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "::ffff:192.0.2.7", true},
		{"192.0.2.7", "192.0.2.8", false},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		l := limiter(t, ring(t), newStore(), nil, "LOGIN_RATE_LIMIT_PER_MINUTE=1")
		passes(l, ratelimit.Login, netip.MustParseAddr(test.a))
		if same := !passes(l, ratelimit.Login, netip.MustParseAddr(test.b)); same != test.same {
			t.Errorf("%s and %s count as one client = %v", test.a, test.b, same)
		}
	}
	nobody := limiter(t, ring(t), newStore(), nil, "LOGIN_RATE_LIMIT_PER_MINUTE=1")
	passes(nobody, ratelimit.Login, netip.Addr{})
	if passes(nobody, ratelimit.Login, netip.Addr{}) {
		t.Error("requests without an address are not limited")
	}
}

func TestLimiter_SeparatesPoliciesClientsAndAccounts(t *testing.T) {
	t.Parallel()
	l := limiter(t, ring(t), newStore(), nil, "LOGIN_RATE_LIMIT_PER_MINUTE=1", "PASSWORD_RATE_LIMIT_PER_MINUTE=1")
	for _, first := range []func() error{
		func() error { return l.Client(t.Context(), ratelimit.Login, home).Err() },
		func() error { return l.Client(t.Context(), ratelimit.Password, home).Err() },
		func() error { return l.Account(t.Context(), ratelimit.Login, "192.0.2.7") },
		func() error { return l.Account(t.Context(), ratelimit.Login, "ada@example.org") },
		func() error { return l.Account(t.Context(), ratelimit.Password, "ada@example.org") },
	} {
		if err := first(); err != nil {
			t.Error(err)
		}
		if first() == nil {
			t.Error("the second request was allowed")
		}
	}
}

func TestLimiter_StoresNoAddress(t *testing.T) {
	t.Parallel()
	s := newStore()
	a, b := limiter(t, ring(t), s, nil), limiter(t, ring(t), s, nil)
	passes(a, ratelimit.Login, home)
	passes(b, ratelimit.Login, home)
	n := 0
	s.keys.Range(func(any, any) bool { n++; return true })
	if n != 2 {
		t.Error("the key of an address does not depend on the secret")
	}
}

func TestLimiter_Off(t *testing.T) {
	t.Parallel()
	vars := ratelimit.Off()
	maps.Copy(vars, map[string]string{"RATE_LIMIT_PER_MINUTE": "0"})
	l := ratelimit.New(*setting.Of[ratelimit.Settings](config.Map(vars)), nil, ratelimit.Stores{}, time.Now)
	for range 1000 {
		if !passes(l, ratelimit.General, home) || !passes(l, ratelimit.Login, home) {
			t.Fatal("a disabled limit refused a request")
		}
	}
	if !passes(nil, ratelimit.General, home) {
		t.Error("a nil limiter refused a request")
	}
	h := http.Header{}
	l.Client(t.Context(), ratelimit.General, home).Header(h)
	if len(h) != 0 {
		t.Errorf("a disabled limit is in the header: %v", h)
	}
}

func TestRead_RejectsInvalidLimits(t *testing.T) {
	t.Parallel()
	for _, v := range []string{
		"RATE_LIMIT_PER_MINUTE=-1", "RATE_LIMIT_PER_MINUTE=many", "LOGIN_RATE_LIMIT_PER_MINUTE=5.5", "RATE_LIMIT_PER_MINUTE=100001",
		"RATE_LIMIT_STORE=redis", "RATE_LIMIT_STORE=file", "PASSWORD_RATE_LIMIT_PER_MINUTE=none",
	} {
		name, value, _ := strings.Cut(v, "=")
		env := config.Map(map[string]string{name: value})
		ratelimit.New(*setting.Of[ratelimit.Settings](env), nil, ratelimit.Stores{}, time.Now)
		if err := env.Err(); err == nil || !strings.HasPrefix(err.Error(), name+" is ") {
			t.Errorf("%s: %v", v, err)
		}
	}
	env := config.Map(map[string]string{"RATE_LIMIT_PER_MINUTE": ""}) // set to nothing: not an explicit off
	l := ratelimit.New(*setting.Of[ratelimit.Settings](env), nil, ratelimit.Stores{}, time.Now)
	if v := l.Client(t.Context(), ratelimit.General, home); env.Err() != nil || v.Limit != ratelimit.PerMinute(100) {
		t.Errorf("got %+v, %v", v, env.Err())
	}
}

func TestRead_SparingUsesTheStoreOnlyForGuardingPolicies(t *testing.T) {
	t.Parallel()
	s := newStore()
	env := config.Map(nil)
	settings := ratelimit.Settings{DefaultStore: ratelimit.InDatabase}
	settings.Load(env)
	l := ratelimit.New(settings, ring(t), ratelimit.Stores{Database: s, ProtectiveOnly: true}, time.Now)
	for policy, want := range map[ratelimit.Policy]int64{
		ratelimit.General: 0, ratelimit.Refresh: 0, ratelimit.Login: 1, ratelimit.Register: 1, ratelimit.Password: 1,
	} {
		before := s.asked.Load()
		passes(l, policy, home)
		if got := s.asked.Load() - before; got != want {
			t.Errorf("%s: %d calls to the store, want %d", policy, got, want)
		}
	}
}

func TestResult_WritesStructuredFields(t *testing.T) {
	t.Parallel()
	l := limiter(t, ring(t), newStore(), nil)
	h := http.Header{}
	l.Client(t.Context(), ratelimit.Login, home).Header(h)
	if h.Get("RateLimit-Policy") != `"login";q=5;w=60` || h.Get("RateLimit") != `"login";r=4;t=12` {
		t.Errorf("got %v", h)
	}
	// Seconds are rounded up, so that waiting for them is enough.
	ratelimit.Result{
		Policy: ratelimit.General, Limit: ratelimit.PerMinute(7), Decision: ratelimit.Decision{Next: 8_571_428 * time.Microsecond},
	}.Header(h)
	if h.Get("RateLimit") != `"default";r=0;t=9` {
		t.Errorf("got %v", h)
	}
}
