package refresh_test

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

func refresh(g *functionstest.Gateway, token string) functionstest.Answer {
	return g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": token})
}

func pair(a functionstest.Answer) (p functionstest.Pair) {
	a.Into(&p)
	return p
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, first := g.Person()
		second := pair(refresh(g, first.Refresh).Want(http.StatusOK, ""))
		if second.Refresh == first.Refresh {
			t.Fatal("the refresh token did not change")
		}
		g.Do("GET", "/api/users/me", nil, functionstest.Bearer(second.Access)).Want(http.StatusOK, "")

		// The response was lost. Within the grace period the gateway sends the same one again.
		g.Advance(signin.DefaultGrace)
		again := pair(refresh(g, first.Refresh).Want(http.StatusOK, ""))
		if again.Refresh != second.Refresh {
			t.Error("the repeated request got another refresh token: a second branch")
		}
		pair(refresh(g, again.Refresh).Want(http.StatusOK, ""))
	})
}

// TestRefresh_SlowTabStaysLoggedIn has other tabs use the successors of a token while the
// tab that sent it still waits. All of them share one login, by body or by cookie, and end
// up with the same token.
func TestRefresh_SlowTabStaysLoggedIn(t *testing.T) {
	t.Parallel()
	byBody := func(g *functionstest.Gateway, token string) (string, functionstest.Answer) {
		a := refresh(g, token)
		return a.Get("refresh_token"), a
	}
	byCookie := func(g *functionstest.Gateway, token string) (string, functionstest.Answer) {
		a := g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie(token))
		next, _ := a.RefreshCookie()
		return next, a
	}
	for name, send := range map[string]func(*functionstest.Gateway, string) (string, functionstest.Answer){
		"by body": byBody, "by cookie": byCookie,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				g := functionstest.New(t, db)
				_, first := g.Person()
				tokens := []string{first.Refresh}
				for range 3 { // R0 → R1 → R2 → R3, ten seconds apart
					next, a := send(g, tokens[len(tokens)-1])
					a.Want(http.StatusOK, "")
					tokens = append(tokens, next)
					g.Advance(10 * time.Second)
				}
				for i, token := range tokens[:3] { // R0 was used 30 s ago
					present, a := send(g, token)
					a.Want(http.StatusOK, "")
					if present != tokens[3] {
						t.Errorf("token %d: got a token other than the current one, which is a second branch", i)
					}
				}
				g.Advance(time.Microsecond)
				_, a := send(g, tokens[1]) // 20 s after its use
				a.Want(http.StatusOK, "")
				_, a = send(g, tokens[0]) // just over 30 s
				a.Want(http.StatusUnauthorized, "token_reused")
				_, a = send(g, tokens[3])
				a.Want(http.StatusUnauthorized, "login_revoked")
			})
		})
	}
}

// TestRefresh_TabsShareACookie refreshes from several tabs at once, each with the
// cookie that it finds, and each stores the cookie that it gets, however late. None is
// signed out, and the remaining cookie works.
func TestRefresh_TabsShareACookie(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const tabs, times = 6, 10
		g := functionstest.New(t, db)
		_, first := g.Person()
		var mu sync.Mutex
		jar := first.Refresh
		var wg sync.WaitGroup
		for range tabs {
			wg.Go(func() {
				for range times {
					mu.Lock()
					token := jar
					mu.Unlock()
					a := g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie(token))
					next, set := a.RefreshCookie()
					if a.Status != http.StatusOK || !set {
						t.Errorf("tab: got %d %s", a.Status, a.Body)
						return
					}
					mu.Lock()
					jar = next
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie(jar)).Want(http.StatusOK, "")
	})
}

func TestRefresh_OldTokenRevokesOnlyItsLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, first := g.Person()
		other := g.Login(functionstest.Email, functionstest.Password)
		second := pair(refresh(g, first.Refresh).Want(http.StatusOK, ""))
		third := pair(refresh(g, second.Refresh).Want(http.StatusOK, ""))

		g.Advance(signin.DefaultGrace + time.Microsecond)
		refresh(g, first.Refresh).Want(http.StatusUnauthorized, "token_reused")

		me := func(access string) functionstest.Answer {
			return g.Do("GET", "/api/users/me", nil, functionstest.Bearer(access))
		}
		me(third.Access).Want(http.StatusUnauthorized, "login_revoked")
		refresh(g, third.Refresh).Want(http.StatusUnauthorized, "login_revoked")
		refresh(g, first.Refresh).Want(http.StatusUnauthorized, "login_revoked")
		me(other.Access).Want(http.StatusOK, "")
		refresh(g, other.Refresh).Want(http.StatusOK, "")

		events, err := db.AuditOf(t.Context(), id, 10)
		if err != nil {
			t.Fatal(err)
		}
		reuses := 0
		for _, e := range events {
			if e.Name == audit.RefreshReused {
				reuses++
			}
		}
		if reuses != 1 {
			t.Errorf("the reuse was audited %d times, want once", reuses)
		}
	})
}

func TestRefresh_UsedTokenAfterTheGracePeriodIsReuse(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, first := g.Person()
	second := pair(refresh(g, first.Refresh).Want(http.StatusOK, ""))
	g.Advance(signin.DefaultGrace + time.Microsecond)
	refresh(g, first.Refresh).Want(http.StatusUnauthorized, "token_reused")
	refresh(g, second.Refresh).Want(http.StatusUnauthorized, "login_revoked")
}

func TestRefresh_ParallelRequestsAllSucceed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const clients = 40
		g := functionstest.New(t, db)
		_, first := g.Person()
		answers := make([]functionstest.Answer, clients)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = refresh(g, first.Refresh) })
		}
		wg.Wait()
		next := map[string]bool{}
		for _, a := range answers {
			p := pair(a.Want(http.StatusOK, ""))
			next[p.Refresh] = true
			g.Do("GET", "/api/users/me", nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
		}
		if len(next) != 1 {
			t.Errorf("%d parallel refreshes created %d branches, want 1", clients, len(next))
		}
		for token := range next {
			refresh(g, token).Want(http.StatusOK, "")
		}
	})
}

func TestRefresh_Rejects(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	forged := []byte(p.Refresh)
	forged[len(forged)-1] ^= 1
	for _, test := range []struct {
		name, token, code string
	}{
		{"no token", "", "missing_token"},
		{"a forged token", string(forged), "invalid_token"},
		{"an access token", p.Access, "invalid_token"},
		{"a token of another gateway", functionstest.New(t, storetest.SQLite(t)).Tokens.Refresh.Encode(signin.NewID(), 0).Reveal(), "invalid_token"},
		{"an unknown login", g.Tokens.Refresh.Encode(signin.NewID(), 0).Reveal(), "invalid_token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := g.In(t)
			a := refresh(g, test.token).Want(http.StatusUnauthorized, test.code)
			if challenge := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Bearer") {
				t.Errorf("got WWW-Authenticate %q", challenge)
			}
		})
	}
	refresh(g, p.Refresh).Want(http.StatusOK, "") // the login still works
}

func TestRefresh_AfterTheLifetime(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	g.Advance(signin.DefaultIdle - time.Second)
	p = pair(refresh(g, p.Refresh).Want(http.StatusOK, "")) // use restarts the lifetime
	g.Advance(signin.DefaultIdle - time.Second)
	p = pair(refresh(g, p.Refresh).Want(http.StatusOK, ""))
	g.Advance(signin.DefaultIdle)
	refresh(g, p.Refresh).Want(http.StatusUnauthorized, "token_expired")
}

func TestRefresh_ByCookie(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Register(functionstest.Email, functionstest.Password)
	login := g.Do("POST", "/api/auth/login", map[string]string{
		"email": functionstest.Email, "password": functionstest.Password, "transport": "cookie",
	}).Want(http.StatusOK, "")
	first, set := login.RefreshCookie()
	if !set || login.Get("refresh_token") != "" {
		t.Fatalf("the login set a cookie: %v; its body: %s", set, login.Body)
	}
	if got, want := login.Header.Get("Set-Cookie"), "__Secure-refresh_token="+first+"; Path=/api/auth; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"; got != want {
		t.Errorf("got cookie %s, want %s", got, want)
	}
	a := g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie(first)).Want(http.StatusOK, "")
	if next, set := a.RefreshCookie(); !set || next == first || a.Get("refresh_token") != "" {
		t.Errorf("the refresh set a new cookie: %v; its body: %s", set, a.Body)
	}
	lost := g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie("garbage")).Want(http.StatusUnauthorized, "invalid_token")
	if _, set := lost.RefreshCookie(); set {
		t.Error("a refused refresh changed the cookie, which another tab may just have renewed")
	}
	g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie(first),
		functionstest.Header("Origin", "https://evil.example.com"),
		functionstest.Header("Sec-Fetch-Site", "cross-site")).Want(http.StatusForbidden, "cross_origin")
}

// TestRefresh_RaceNeverClearsTheCookie sends the cookie of one login many times at
// once, with and without a grace period. Every response that sets the cookie sets the one
// valid token; otherwise another tab would be signed out.
func TestRefresh_RaceNeverClearsTheCookie(t *testing.T) {
	t.Parallel()
	for grace, losers := range map[string]int{"30": http.StatusOK, "0": http.StatusUnauthorized} {
		t.Run(grace+" s of grace", func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				const tabs = 24
				g := functionstest.NewWith(t, db, map[string]string{"REFRESH_TOKEN_GRACE_SECONDS": grace})
				g.Register(functionstest.Email, functionstest.Password)
				first, _ := login(g).RefreshCookie()
				answers := make([]functionstest.Answer, tabs)
				var wg sync.WaitGroup
				for i := range answers {
					wg.Go(func() {
						if i > 0 && grace == "0" {
							g.Advance(time.Millisecond) // a stopped clock would keep even a grace of 0 open
						}
						answers[i] = g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie(first))
					})
				}
				wg.Wait()
				good := map[string]bool{}
				for _, a := range answers {
					value, set := a.RefreshCookie()
					if set != (a.Status == http.StatusOK) {
						t.Errorf("%d %s sets the cookie: %v", a.Status, a.Body, set)
					}
					if set {
						good[value] = true
					}
					if a.Status != http.StatusOK && a.Status != losers {
						t.Errorf("got %d %s", a.Status, a.Body)
					}
				}
				if len(good) != 1 || good[""] || good[first] {
					t.Errorf("the cookie was set to %d different tokens", len(good))
				}
			})
		})
	}
}

func login(g *functionstest.Gateway) functionstest.Answer {
	return g.Do("POST", "/api/auth/login", map[string]string{
		"email": functionstest.Email, "password": functionstest.Password, "transport": "cookie",
	}).Want(http.StatusOK, "")
}

// TestCookie_SetBySiblingDomain covers a page on a sibling host, which can set a cookie of
// the same name with the token of its own login; browsers send both. No user gets signed
// in to another account by that, and nothing is revoked.
func TestCookie_SetBySiblingDomain(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	g.Register(functionstest.Email, functionstest.Password)
	g.Register("mallory@example.org", functionstest.Password)
	mallory := g.Login("mallory@example.org", functionstest.Password).Refresh
	mine, _ := login(g).RefreshCookie()
	for _, order := range [][]string{{mine, mallory}, {mallory, mine}, {"", mine}, {mine, mine}} {
		for _, path := range []string{"/api/auth/refresh", "/api/auth/logout"} {
			a := g.Do("POST", path, nil, functionstest.Cookie(order[0]), functionstest.Cookie(order[1])).
				Want(http.StatusBadRequest, "several_cookies")
			if _, set := a.RefreshCookie(); set {
				t.Errorf("%s changes the cookie", path)
			}
		}
	}
	g.Do("POST", "/api/auth/refresh", nil, functionstest.Cookie(mine)).Want(http.StatusOK, "")
	g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": mallory}, functionstest.Cookie(mine), functionstest.Cookie(mallory)).
		Want(http.StatusOK, "")
}
