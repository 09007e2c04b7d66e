package store_test

import (
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/ratelimit/ratelimittest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestRateLimits_FollowTheRule(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) { ratelimittest.TestStore(t, db.RateLimits()) })
}

func TestRateLimits_ShareOneBudget(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ratelimittest.TestConcurrency(t, db.RateLimits(), db.RateLimits())
	})
}

func TestRateLimits_TwoProcesses_OnPostgres(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	a, b := storetest.OpenPostgres(t, url), storetest.OpenPostgres(t, url)
	t.Cleanup(func() { a.Close(); b.Close() })
	ratelimittest.TestConcurrency(t, a.RateLimits(), b.RateLimits())
}

func TestRateLimits_SweepRemovesRowsWithoutEffect(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		limits, five := db.RateLimits(), ratelimit.PerMinute(5)
		take := func(n int, now time.Time) bool {
			_, allowed, err := limits.Take(t.Context(), ratelimittest.Key(n), five, now, time.UnixMicro(0))
			if err != nil {
				t.Fatal(err)
			}
			return allowed
		}
		take(1, noon)
		for range 5 {
			take(2, noon.Add(time.Minute))
		}
		if err := limits.Sweep(t.Context(), noon.Add(2*time.Minute)); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := db.Handle().QueryRowContext(t.Context(), "SELECT count(*) FROM rate_limits").Scan(&left); err != nil || left != 1 {
			t.Errorf("%d rows are left, %v; want the one that still limits", left, err)
		}
		if take(2, noon.Add(time.Minute)) {
			t.Error("the sweep reset a limit")
		}
	})
}

func TestAccountForLogin_KnowsFamiliarAddresses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := account.Account{ID: account.NewID(), Email: "ada@example.org", Role: account.User, CreatedAt: noon, UpdatedAt: noon}
		if err := create(t.Context(), db, a); err != nil {
			t.Fatal(err)
		}
		login := func(address string) signin.Login {
			l := signin.Start(a.ID, "device", address, noon, signin.Lifetimes{Idle: time.Hour})
			if err := db.StartLogin(t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil); err != nil {
				t.Fatal(err)
			}
			return l
		}
		revoke := func(l signin.Login, reason audit.Name) {
			if ok, err := db.RevokeLogin(t.Context(), a.ID, l.ID, string(reason), noon); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		login("192.0.2.1")
		login("2001:db8::1")
		revoke(login("192.0.2.2"), audit.LoggedOut)
		revoke(login("192.0.2.3"), audit.RefreshReused)
		revoke(login("192.0.2.4"), audit.PasswordChanged)
		moved := login("192.0.2.5")
		if _, ok, err := db.RotateLogin(t.Context(), moved.ID, 0, "192.0.2.6", noon, noon.Add(time.Hour)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		login("nowhere")
		for address, want := range map[string]bool{
			"192.0.2.1":     true,
			"2001:db8::abc": true, // in the same /64
			"2001:db8:1::1": false,
			"192.0.2.2":     true,  // logged out there
			"192.0.2.3":     false, // a thief
			"192.0.2.4":     false, // possibly a thief
			"192.0.2.5":     false, // moved on
			"192.0.2.6":     true,
			"192.0.2.7":     false,
			"nowhere":       false,
			"":              false,
		} {
			got, hash, familiar, err := db.AccountForLogin(t.Context(), a.Email.Lookup(), address)
			if err != nil || got.ID != a.ID || hash != "hash" || familiar != want {
				t.Errorf("from %q: got %s, familiar = %v, %v; want familiar = %v", address, got.ID, familiar, err, want)
			}
		}
	})
}

func BenchmarkRateLimits(b *testing.B) {
	for engine, open := range map[string]func(testing.TB) *store.DB{store.PostgreSQL: storetest.Postgres, store.SQLite: storetest.SQLite} {
		b.Run(engine, func(b *testing.B) { ratelimittest.Benchmark(b, open(b).RateLimits()) })
	}
}
