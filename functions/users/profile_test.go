package users_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/janitor"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestProfile_ReportsActiveAndAdmin(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, p := g.Person()
	_, root := g.Admin("root@example.org")
	for _, test := range []struct{ path, access, active, admin string }{
		{mePath, p.Access, "true", "false"},
		{mePath, root.Access, "true", "true"},
		{usersPath + "/" + string(id), root.Access, "true", "false"},
	} {
		a := g.Do("GET", test.path, nil, functionstest.Bearer(test.access)).Want(http.StatusOK, "")
		if a.Get("is_active") != test.active || a.Get("is_admin") != test.admin || !strings.Contains(a.Body, `"email_verified_at":null`) {
			t.Errorf("%s: got %s", test.path, a.Body)
		}
	}
	a := g.Do("PATCH", usersPath+"/"+string(id), `{"disabled":true}`, functionstest.Bearer(root.Access)).Want(http.StatusOK, "")
	if a.Get("is_active") != "false" {
		t.Errorf("disabled user: got %s", a.Body)
	}
}

func TestProfile_AtASecondPath(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	want := g.Do("GET", mePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
	got := g.Do("GET", "/api/auth/me", nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
	if got.Body != want.Body {
		t.Errorf("/api/auth/me: got %s, want %s", got.Body, want.Body)
	}
	g.Do("GET", "/api/auth/me", nil).Want(http.StatusUnauthorized, "missing_token")
}

// TestProfile_ReportsTheLastLogin expects null before the first login, and a time that
// remains even after the login itself is gone.
func TestProfile_ReportsTheLastLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		g.Admin("root@example.org")
		made := g.Do("POST", "/api/auth/register", map[string]string{"email": functionstest.Email, "password": functionstest.Password}).
			Want(http.StatusOK, "")
		if !strings.Contains(made.Body, `"last_login":null`) {
			t.Errorf("new user: got %s", made.Body)
		}
		at := usersPath + "/" + made.Get("user", "id")
		last := func() string {
			t.Helper()
			root := g.Login("root@example.org", functionstest.Password)
			one := g.Do("GET", at, nil, functionstest.Bearer(root.Access)).Want(http.StatusOK, "")
			var list []map[string]any
			g.Do("GET", usersPath+"?q="+functionstest.Email, nil, functionstest.Bearer(root.Access)).Want(http.StatusOK, "").Into(&list)
			if len(list) != 1 || list[0]["last_login"] != one.Get("last_login") {
				t.Errorf("got list %v, user %s", list, one.Body)
			}
			return one.Get("last_login")
		}

		g.Advance(time.Minute)
		first := g.Login(functionstest.Email, functionstest.Password)
		g.Advance(time.Minute)
		refreshed := pairOf(g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": first.Refresh}))
		if got := g.Do("GET", mePath, nil, functionstest.Bearer(refreshed.Access)).Get("last_login"); got != "2026-03-01T12:01:00Z" {
			t.Errorf("got last login %s, want the first one; a refresh does not count", got)
		}
		g.Advance(time.Minute)
		second := g.Login(functionstest.Email, functionstest.Password)
		g.Do("POST", "/api/auth/logout", nil, functionstest.Bearer(second.Access)).Want(http.StatusNoContent, "")
		const want = "2026-03-01T12:03:00Z"
		if got := last(); got != want {
			t.Errorf("got last login %s, want the second one", got)
		}

		g.Advance(signin.DefaultIdle + janitor.Retention + time.Hour)
		for range 2 { // the second round finds nothing
			if err := janitor.New(db, account.Rules{}, g.Now).RunIfDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := last(); got != want {
			t.Errorf("after the logins are deleted: got last login %s", got)
		}
		g.Login(functionstest.Email, functionstest.Password)
		if got := last(); got == want || got == "" {
			t.Errorf("after another login: got last login %s", got)
		}
	})
}

func pairOf(a functionstest.Answer) (p functionstest.Pair) {
	a.Into(&p)
	return p
}
