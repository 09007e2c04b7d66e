package logout_test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const path = "/api/auth/logout"

func body(refresh string) map[string]string { return map[string]string{"refresh_token": refresh} }

func me(g *functionstest.Gateway, access string) functionstest.Answer {
	return g.Do("GET", "/api/users/me", nil, functionstest.Bearer(access))
}

func TestLogout_EndsTheLoginAtOnce(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(g *functionstest.Gateway, p functionstest.Pair) functionstest.Answer{
		"by the access token": func(g *functionstest.Gateway, p functionstest.Pair) functionstest.Answer {
			return g.Do("POST", path, nil, functionstest.Bearer(p.Access))
		},
		"by the refresh token": func(g *functionstest.Gateway, p functionstest.Pair) functionstest.Answer {
			return g.Do("POST", path, body(p.Refresh))
		},
		"by the cookie": func(g *functionstest.Gateway, p functionstest.Pair) functionstest.Answer {
			return g.Do("POST", path, nil, functionstest.Cookie(p.Refresh))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := functionstest.New(t, storetest.SQLite(t))
			id, p := g.Person()
			other := g.Login(functionstest.Email, functionstest.Password)

			a := send(g, p).Want(http.StatusNoContent, "")
			if value, set := a.RefreshCookie(); !set || value != "" {
				t.Errorf("cookie not cleared: %v", a.Header["Set-Cookie"])
			}
			me(g, p.Access).Want(http.StatusUnauthorized, "login_revoked")
			g.Do("POST", "/api/auth/refresh", body(p.Refresh)).Want(http.StatusUnauthorized, "login_revoked")
			me(g, other.Access).Want(http.StatusOK, "")
			send(g, p).Want(http.StatusNoContent, "") // already logged out

			events, err := g.DB.AuditOf(t.Context(), id, 10)
			if err != nil || len(events) != 4 || events[0].Name != audit.LoggedOut || events[0].Login == "" {
				t.Errorf("audited %+v, %v; want one logout first", events, err)
			}
		})
	}
}

func TestLogout_EndsEveryLogin(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	other := g.Login(functionstest.Email, functionstest.Password)
	g.Register("bob@example.org", functionstest.Password)
	bob := g.Login("bob@example.org", functionstest.Password)

	g.Do("POST", path+"?all=perhaps", nil, functionstest.Bearer(p.Access)).Want(http.StatusUnprocessableEntity, "validation_failed")
	g.Do("POST", path+"?all=true", nil).Want(http.StatusUnauthorized, "missing_token")
	g.Do("POST", path+"?all=true", nil, functionstest.Bearer(p.Access)).Want(http.StatusNoContent, "")
	me(g, p.Access).Want(http.StatusUnauthorized, "login_revoked")
	me(g, other.Access).Want(http.StatusUnauthorized, "login_revoked")
	me(g, bob.Access).Want(http.StatusOK, "")

	fresh := g.Login(functionstest.Email, functionstest.Password)
	g.Do("POST", path+"?all=true", nil, functionstest.Bearer(p.Access)).Want(http.StatusUnauthorized, "login_revoked")
	me(g, fresh.Access).Want(http.StatusOK, "") // an ended login cannot end others
}

// TestLogout_WithAUsedRefreshToken checks what a thief can still do with a token after the
// owner has rotated it, and what that leaves in the trail.
func TestLogout_WithAUsedRefreshToken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		wait    time.Duration // after the last of three rotations
		all     string
		audited audit.Name
		others  bool // remain logged in
	}{
		{"within the grace period", 0, "", audit.LoggedOut, true},
		{"within the grace period, of every login", signin.DefaultGrace, "?all=true", audit.LoggedOutAll, false},
		{"later", signin.DefaultGrace + time.Microsecond, "", audit.RefreshReused, true},
		{"later, of every login", signin.DefaultGrace + time.Microsecond, "?all=true", audit.RefreshReused, true},
	} {
		for name, send := range map[string]func(*functionstest.Gateway, string, string) functionstest.Answer{
			"in the body": func(g *functionstest.Gateway, url, token string) functionstest.Answer {
				return g.Do("POST", url, body(token))
			},
			"as the cookie": func(g *functionstest.Gateway, url, token string) functionstest.Answer {
				return g.Do("POST", url, nil, functionstest.Cookie(token))
			},
		} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				t.Parallel()
				storetest.Each(t, func(t *testing.T, db *store.DB) {
					g := functionstest.New(t, db)
					id, stolen := g.Person()
					other := g.Login(functionstest.Email, functionstest.Password)
					mine := stolen
					for range 3 {
						g.Do("POST", "/api/auth/refresh", body(mine.Refresh)).Want(http.StatusOK, "").Into(&mine)
					}
					g.Advance(test.wait)
					a := send(g, path+test.all, stolen.Refresh).Want(http.StatusNoContent, "")
					if value, set := a.RefreshCookie(); !set || value != "" {
						t.Errorf("cookie not cleared: %v", a.Header["Set-Cookie"])
					}
					me(g, mine.Access).Want(http.StatusUnauthorized, "login_revoked")
					if test.others {
						me(g, other.Access).Want(http.StatusOK, "")
					} else {
						me(g, other.Access).Want(http.StatusUnauthorized, "login_revoked")
					}
					events, err := g.DB.AuditOf(t.Context(), id, 1)
					if err != nil || len(events) != 1 || events[0].Name != test.audited || events[0].Login == "" {
						t.Errorf("audited %+v, %v; want %s", events, err, test.audited)
					}
				})
			})
		}
	}
}

// TestLogout_WithATokenAheadOfTheRecord: after a restore from an older backup, the gateway
// cannot know whether a token is the newest.
func TestLogout_WithATokenAheadOfTheRecord(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	login, _, err := g.Tokens.Refresh.Decode(p.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	ahead := g.Tokens.Refresh.Encode(login, 7).Reveal()
	g.Do("POST", path+"?all=true", body(ahead)).Want(http.StatusUnauthorized, "invalid_token")
	me(g, p.Access).Want(http.StatusOK, "")
	g.Do("POST", path, body(ahead)).Want(http.StatusNoContent, "")
	me(g, p.Access).Want(http.StatusUnauthorized, "login_revoked")
}

func TestLogout_WithoutALogin(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	for _, test := range []struct {
		name   string
		body   any
		option functionstest.Option
		status int
		code   string
	}{
		{"nothing is sent", nil, func(*http.Request) {}, 204, ""},
		{"a cookie that is none of ours is taken away", nil, functionstest.Cookie("x"), 204, ""},
		{"a forged refresh token", body(p.Refresh + "x"), func(*http.Request) {}, 401, "invalid_token"},
		{"a forged access token", nil, functionstest.Bearer(p.Access + "x"), 401, "invalid_token"},
		{"an unknown field", map[string]string{"token": "x"}, func(*http.Request) {}, 422, "validation_failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g.In(t).Do("POST", path, test.body, test.option).Want(test.status, test.code)
		})
	}
	g.Advance(time.Hour)
	g.Do("POST", path, nil, functionstest.Bearer(p.Access)).Want(http.StatusUnauthorized, "token_expired")
	g.Do("POST", path, body(p.Refresh)).Want(http.StatusNoContent, "")
}
