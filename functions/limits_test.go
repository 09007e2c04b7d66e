package functions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestRoutes_HaveTheirLimits lists the routes that have their own limit. Every route that
// checks a password must be here; all others fall under the limit of all requests.
func TestRoutes_HaveTheirLimits(t *testing.T) {
	t.Parallel()
	got := map[string]ratelimit.Policy{}
	for _, r := range (&functions.Parts{}).Routes() {
		if r.Limit != "" {
			got[r.Pattern] = r.Limit
		}
	}
	want := map[string]ratelimit.Policy{
		"POST /api/auth/login":                      ratelimit.Login,
		"POST /api/auth/register":                   ratelimit.Register,
		"POST /api/auth/refresh":                    ratelimit.Refresh,
		"POST /api/auth/api-keys":                   ratelimit.Password,
		"POST /api/auth/request-verify-token":       ratelimit.Password,
		"POST /api/auth/verify":                     ratelimit.Password,
		"POST /api/auth/forgot-password":            ratelimit.Password,
		"POST /api/auth/reset-password":             ratelimit.Password,
		"POST /api/auth/accept-invitation":          ratelimit.Password,
		"POST /api/auth/undo":                       ratelimit.Password,
		"POST /api/auth/not-me":                     ratelimit.Password,
		"POST /api/auth/2fa/verify-login":           ratelimit.Password,
		"POST /api/auth/2fa/setup":                  ratelimit.Password,
		"POST /api/auth/2fa/verify":                 ratelimit.Password,
		"POST /api/auth/2fa/disable":                ratelimit.Password,
		"POST /api/auth/2fa/backup-codes":           ratelimit.Password,
		"POST /api/users/change-password":           ratelimit.Password,
		"POST /api/users/me/change-password":        ratelimit.Password,
		"PUT /api/users/me/password":                ratelimit.Password,
		"DELETE /api/users/me":                      ratelimit.Password,
		"POST /api/users/me/nextcloud/app-password": ratelimit.Password,
		"POST /api/users/me/nextcloud/claim":        ratelimit.Password,
		"GET /health":                               ratelimit.Unlimited,
		"GET /ready":                                ratelimit.Unlimited,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRoutes_AnswerBusyBeforeAnyWork lists the routes that refuse a request before they read it
// if too many passwords wait. Every route that always checks a password must be here.
func TestRoutes_AnswerBusyBeforeAnyWork(t *testing.T) {
	t.Parallel()
	var got []string
	busy := password.NewHasher(4, 1, 0)
	for _, r := range (&functions.Parts{Passwords: busy}).Routes() {
		if r.Busy != nil && r.Busy() == nil {
			got = append(got, r.Pattern)
		}
	}
	slices.Sort(got)
	want := []string{
		"DELETE /api/users/me", "POST /api/auth/2fa/disable", "POST /api/auth/2fa/setup",
		"POST /api/auth/accept-invitation",
		"POST /api/auth/login",
		"POST /api/auth/register",
		"POST /api/auth/reset-password",
		"POST /api/users/change-password",
		"POST /api/users/me/change-password",
		"POST /api/users/me/nextcloud/app-password",
		"PUT /api/users/me/password",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// from returns a different address for each n, none of them the default of functionstest.
func from(n int) functionstest.Option {
	return functionstest.From(fmt.Sprintf("198.51.%d.%d", n/200, n%200))
}

func limited(t *testing.T, db *store.DB, vars ...string) *functionstest.Gateway {
	t.Helper()
	settings := map[string]string{}
	for i := 0; i < len(vars); i += 2 {
		settings[vars[i]] = vars[i+1]
	}
	return functionstest.NewWith(t, db, settings)
}

const loginPath = "/api/auth/login"

func credentials(email, password string) functionstest.Form {
	return functionstest.Form{"username": {email}, "password": {password}}
}

// TestLogin_IsLimitedPerClient exceeds the limit on every store and engine, waits as long
// as the response says, and gets in.
func TestLogin_IsLimitedPerClient(t *testing.T) {
	t.Parallel()
	for _, kept := range []string{"memory", "database"} {
		t.Run(kept, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				g := limited(t, db, "LOGIN_RATE_LIMIT_PER_MINUTE", "5", "RATE_LIMIT_STORE", kept)
				g.Register(functionstest.Email, functionstest.Password)
				for i := range 5 {
					a := g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password)).Want(http.StatusOK, "")
					if got, want := a.Header.Get("RateLimit"), fmt.Sprintf(`"login";r=%d;t=12`, 4-i); got != want {
						t.Errorf("login %d: got RateLimit %q, want %q", i+1, got, want)
					}
				}
				a := g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password)).
					Want(http.StatusTooManyRequests, "rate_limited")
				wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
				if err != nil || a.Header.Get("RateLimit-Policy") != `"login";q=5;w=60` ||
					a.Header.Get("RateLimit") != fmt.Sprintf(`"login";r=0;t=%d`, wait) {
					t.Errorf("got %v", a.Header)
				}
				g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), from(1)).Want(http.StatusOK, "")
				g.Advance(time.Duration(wait)*time.Second - time.Millisecond)
				g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password)).Want(http.StatusTooManyRequests, "")
				g.Advance(time.Millisecond)
				g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password)).Want(http.StatusOK, "")
			})
		})
	}
}

// TestLogin_IsLimitedPerAccount guesses the password of one account from a different address
// each time. The account is limited regardless of letter case.
func TestLogin_IsLimitedPerAccount(t *testing.T) {
	t.Parallel()
	g := limited(t, storetest.SQLite(t), "LOGIN_RATE_LIMIT_PER_MINUTE", "5")
	g.Register(functionstest.Email, functionstest.Password)
	checked := 0
	for n := range 50 {
		name := functionstest.Email
		if n%2 == 1 {
			name = "ADA@Example.ORG"
		}
		if g.Do("POST", loginPath, credentials(name, "wrong"), from(n)).Status == http.StatusUnauthorized {
			checked++
		}
	}
	if checked != 5 {
		t.Errorf("%d passwords were checked without delay, want 5", checked)
	}
	// The right password is refused now as well; otherwise the limit would reveal which one is
	// right.
	g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), from(60)).
		Want(http.StatusTooManyRequests, "rate_limited")
}

// TestLogin_AttackDoesNotLockOutTheOwner keeps the account's limit exhausted from many
// addresses. The owner can still log in from a familiar address, even after logging out, and
// existing logins keep working.
func TestLogin_AttackDoesNotLockOutTheOwner(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := limited(t, db, "LOGIN_RATE_LIMIT_PER_MINUTE", "5")
		g.Register(functionstest.Email, functionstest.Password)
		home, phone := functionstest.From("192.0.2.50"), functionstest.From("2001:db8::1")
		var p functionstest.Pair
		g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), home).Want(http.StatusOK, "").Into(&p)
		g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), phone).Want(http.StatusOK, "")
		attack := func() {
			for n := range 20 {
				g.Do("POST", loginPath, credentials(functionstest.Email, "wrong"), from(n))
			}
			g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), from(30)).Want(http.StatusTooManyRequests, "")
		}
		attack()
		g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), home).Want(http.StatusOK, "")
		elsewhere := functionstest.From("2001:db8::2:2") // on the phone's network
		g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), elsewhere).Want(http.StatusOK, "")
		g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": p.Refresh}).Want(http.StatusOK, "").Into(&p)
		g.Do("POST", "/api/auth/logout?all=true", nil, functionstest.Bearer(p.Access), home).Want(http.StatusNoContent, "")

		g.Advance(10 * time.Minute)
		g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), home).Want(http.StatusOK, "").Into(&p)
		g.Do("POST", "/api/auth/logout", nil, functionstest.Bearer(p.Access), home).Want(http.StatusNoContent, "")
		attack()
		g.Do("POST", loginPath, credentials(functionstest.Email, functionstest.Password), home).Want(http.StatusOK, "")
		if n := familiarAttempts(g, home); n > 5 {
			t.Errorf("%d passwords are checked without delay from the owner's address, want at most 5", n)
		}
	})
}

// familiarAttempts returns how many wrong passwords from the address are checked without
// waiting.
func familiarAttempts(g *functionstest.Gateway, at functionstest.Option) (checked int) {
	for range 20 {
		if g.Do("POST", loginPath, credentials(functionstest.Email, "wrong"), at).Status == http.StatusUnauthorized {
			checked++
		}
	}
	return checked
}

// TestLogin_LimitsDoNotRevealAccounts compares what an attacker sees, attempt by attempt, for
// an active account, a disabled one, and none.
func TestLogin_LimitsDoNotRevealAccounts(t *testing.T) {
	t.Parallel()
	g := limited(t, storetest.SQLite(t), "LOGIN_RATE_LIMIT_PER_MINUTE", "5")
	g.Register(functionstest.Email, functionstest.Password)
	off := g.Register("off@example.org", functionstest.Password)
	a, err := g.DB.Account(t.Context(), off)
	if err != nil {
		t.Fatal(err)
	}
	disabled := true
	storetest.AsOperator(t, g.DB, func(tx *store.Tx, by store.Actor) error {
		_, err := tx.ChangeAccount(t.Context(), by, a, store.Changes{Disabled: &disabled}, time.Now())
		return err
	})
	type seen struct {
		Status                    int
		Code, Limit, Policy, Wait string
	}
	look := func(name string, first int) (all []seen) {
		for n := range 12 {
			a := g.Do("POST", loginPath, credentials(name, "wrong"), from(first+n))
			all = append(all, seen{
				a.Status, a.Get("code"), a.Header.Get("RateLimit"), a.Header.Get("RateLimit-Policy"), a.Header.Get("Retry-After"),
			})
		}
		return all
	}
	known := look(functionstest.Email, 100)
	for name, first := range map[string]int{"off@example.org": 300, "nobody@example.org": 500} {
		if diff := cmp.Diff(known, look(name, first)); diff != "" {
			t.Errorf("%s differs from an account (-account +%s):\n%s", name, name, diff)
		}
	}
}

// TestPassword_ConfirmationsAreLimited guesses the password with a stolen access token on
// every call that requires it, from many addresses. All attempts count together.
func TestPassword_ConfirmationsAreLimited(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nextcloudtest.New(nextcloudtest.Options{AdminPassword: functionstest.Password}))
	t.Cleanup(server.Close)
	g := limited(t, storetest.SQLite(t), "PASSWORD_RATE_LIMIT_PER_MINUTE", "8",
		"NEXTCLOUD_URL", server.URL, "NEXTCLOUD_ADMIN_USER", "admin", "NEXTCLOUD_ADMIN_PASSWORD", functionstest.Password)
	_, p := g.Person()
	if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	ada := functionstest.Bearer(p.Access)
	calls := []struct {
		method, path string
		body         any
	}{
		{"POST", "/api/users/change-password", map[string]string{"old_password": "wrong", "new_password": "an entirely new passphrase"}},
		{"POST", "/api/users/me/change-password", map[string]string{"current_password": "wrong", "new_password": "an entirely new passphrase"}},
		{"PUT", "/api/users/me/password", map[string]string{"currentPassword": "wrong", "newPassword": "an entirely new passphrase"}},
		{"DELETE", "/api/users/me", map[string]string{"password": "wrong"}},
		{"PATCH", "/api/users/me", map[string]string{"email": "eve@example.org", "current_password": "wrong"}},
		{"POST", "/api/users/me/nextcloud/app-password", map[string]string{"name": "x", "password": "wrong"}},
		{"POST", "/api/auth/api-keys", map[string]any{"name": "x", "scopes": []string{"files:read"}, "password": "wrong"}},
	}
	checked := 0
	for n := range 40 {
		c := calls[n%len(calls)]
		a := g.Do(c.method, c.path, c.body, ada, from(n))
		if a.Status == http.StatusBadRequest {
			checked++
		} else if a.Want(http.StatusTooManyRequests, "rate_limited"); a.Header.Get("RateLimit-Policy") != `"password";q=8;w=60` {
			t.Errorf("%s %s: got %v", c.method, c.path, a.Header)
		}
	}
	if checked != 8 {
		t.Errorf("%d passwords were checked without delay, want 8", checked)
	}
	// Calls that need no password keep working, so the owner can end all logins.
	g.Do("PATCH", "/api/users/me", `{"full_name":"Ada"}`, ada).Want(http.StatusOK, "")
	g.Do("POST", "/api/auth/logout?all=true", nil, ada).Want(http.StatusNoContent, "")
}

func TestRefresh_IsLimitedPerClientAndLogin(t *testing.T) {
	t.Parallel()
	g := limited(t, storetest.SQLite(t), "REFRESH_RATE_LIMIT_PER_MINUTE", "3")
	_, p := g.Person()
	other := g.Login(functionstest.Email, functionstest.Password)
	refresh := func(p *functionstest.Pair, n int) int {
		a := g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": p.Refresh}, from(n))
		if a.Status == http.StatusOK {
			a.Into(p)
		}
		return a.Status
	}
	for n := range 3 {
		if got := refresh(&p, n); got != http.StatusOK {
			t.Errorf("refresh %d: got %d", n+1, got)
		}
	}
	if got := refresh(&p, 10); got != http.StatusTooManyRequests {
		t.Errorf("fourth refresh of one login: got %d", got)
	}
	if got := refresh(&other, 10); got != http.StatusOK {
		t.Errorf("another login of the account: got %d", got)
	}
	g.Advance(20 * time.Second)
	if got := refresh(&p, 10); got != http.StatusOK {
		t.Errorf("the refused token was consumed: got %d", got)
	}
	for range 3 {
		g.Do("POST", "/api/auth/refresh", `{"refresh_token":"forged"}`, from(20))
	}
	if got := refresh(&other, 20); got != http.StatusTooManyRequests {
		t.Errorf("fourth refresh of one client: got %d", got)
	}
}

func TestRegister_IsLimitedPerClient(t *testing.T) {
	t.Parallel()
	g := limited(t, storetest.SQLite(t), "REGISTER_RATE_LIMIT_PER_MINUTE", "2")
	person := func(n int) map[string]string {
		return map[string]string{"email": fmt.Sprintf("p%d@example.org", n), "password": functionstest.Password}
	}
	g.Do("POST", "/api/auth/register", person(1)).Want(http.StatusOK, "")
	g.Do("POST", "/api/auth/register", `{"email":1}`).Want(http.StatusUnprocessableEntity, "")
	g.Do("POST", "/api/auth/register", person(2)).Want(http.StatusTooManyRequests, "rate_limited")
	if _, _, err := g.DB.AccountByEmail(t.Context(), account.Email("p2@example.org").Lookup()); err == nil {
		t.Error("a refused registration created an account")
	}
	g.Do("POST", "/api/auth/register", person(2), from(1)).Want(http.StatusOK, "")
}
