package functions_test

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// TestStatements holds what each call costs the database: a statement more is a
// round trip more for everybody.
func TestStatements(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var n atomic.Int64
		db.Observe(func(time.Duration) { n.Add(1) })
		g := functionstest.New(t, db)
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		refresh := map[string]string{"refresh_token": p.Refresh}
		at := g.Do("POST", "/api/sessions", `{"title":"x"}`, ada).Header.Get("Location")
		for _, test := range []struct {
			name, method, path string
			body               any
			option             functionstest.Option
			status             int
			want               int64
		}{
			{"me", "GET", "/api/users/me", nil, ada, 200, 1},
			{"log in", "POST", "/api/auth/login", functionstest.Form{"username": {functionstest.Email}, "password": {functionstest.Password}}, ada, 200, 2},
			{"log in as nobody", "POST", "/api/auth/login", functionstest.Form{"username": {"x@example.org"}, "password": {"x"}}, ada, 401, 1},
			{"refresh", "POST", "/api/auth/refresh", refresh, ada, 200, 1},
			{"refresh again", "POST", "/api/auth/refresh", refresh, ada, 200, 2},
			{"a forged refresh token", "POST", "/api/auth/refresh", map[string]string{"refresh_token": p.Refresh[:79] + "!"}, ada, 401, 0},
			{"a forged access token", "GET", "/api/users/me", nil, functionstest.Bearer(p.Access + "x"), 401, 0},
			{"no token", "GET", "/api/sessions", nil, func(*http.Request) {}, 401, 0},
			{"sessions", "GET", "/api/sessions", nil, ada, 200, 2},
			{"a session", "GET", at, nil, ada, 200, 2},
			{"the keys", "GET", "/.well-known/jwks.json", nil, ada, 200, 0},
			{"health", "GET", "/health", nil, ada, 200, 0},
		} {
			n.Store(0)
			g.Do(test.method, test.path, test.body, test.option).Want(test.status, "")
			if got := n.Load(); got != test.want {
				t.Errorf("%s takes %d statements, want %d", test.name, got, test.want)
			}
		}
	})
}
