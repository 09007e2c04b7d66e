package functions_test

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// TestStatements checks what each call costs the database. Every additional statement is
// another round trip on every call.
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
			{"me at another address", "GET", "/api/auth/me", nil, ada, 200, 1},
			{"the session of the login", "GET", "/api/auth/session", nil, ada, 200, 2},
			{"log in", "POST", "/api/auth/login", functionstest.Form{"username": {functionstest.Email}, "password": {functionstest.Password}}, ada, 200, 3},
			{"log in as nobody", "POST", "/api/auth/login", functionstest.Form{"username": {"x@example.org"}, "password": {"x"}}, ada, 401, 2},
			{"log in with a wrong password", "POST", "/api/auth/login", functionstest.Form{"username": {functionstest.Email}, "password": {"x"}}, ada, 401, 2},
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
				t.Errorf("%s: got %d statements, want %d", test.name, got, test.want)
			}
		}
	})
}

// TestStatements_OfLimits checks what rate limits cost a database that stores them: on
// Lambda, where only those that guard passwords are stored, and on servers that share all
// of them. A client that is known to be over a limit costs nothing.
func TestStatements_OfLimits(t *testing.T) {
	t.Parallel()
	right := credentials(functionstest.Email, functionstest.Password)
	for _, test := range []struct {
		name, method, path string
		body               any
		from               functionstest.Option
		status             int
		function, server   int64
	}{
		{"me", "GET", "/api/users/me", nil, from(1), 200, 1, 2},
		{"health", "GET", "/health", nil, from(1), 200, 0, 0},
		{"log in where one did before", "POST", loginPath, right, functionstest.From("192.0.2.7"), 200, 4, 5},
		{"log in elsewhere", "POST", loginPath, right, from(2), 200, 5, 6},
		{"log in as nobody", "POST", loginPath, credentials("x@example.org", "x"), from(2), 401, 4, 5},
		{"refresh", "POST", "/api/auth/refresh", nil, from(1), 200, 1, 4},
	} {
		for way, want := range map[string]int64{"function": test.function, "server": test.server} {
			t.Run(test.name+" on a "+way, func(t *testing.T) {
				t.Parallel()
				db := storetest.SQLite(t)
				g, n := counting(t, db, way)
				p := g.Login(functionstest.Email, functionstest.Password)
				body := test.body
				if test.name == "refresh" {
					body = map[string]string{"refresh_token": p.Refresh}
				}
				n.Store(0)
				a := g.Do(test.method, test.path, body, functionstest.Bearer(p.Access), test.from).Want(test.status, "")
				if got := n.Load(); got != want {
					t.Errorf("got %d statements, want %d", got, want)
				}
				if a.Header.Get("RateLimit") == "" && test.path != "/health" {
					t.Error("the request was not limited")
				}
			})
		}
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, n := counting(t, db, "function")
		for range 20 {
			g.Do("POST", loginPath, credentials("x@example.org", "x"), from(1))
		}
		n.Store(0)
		g.Do("POST", loginPath, right, from(1)).Want(http.StatusTooManyRequests, "")
		if n.Load() != 0 {
			t.Errorf("client over the limit: got %d statements, want 0", n.Load())
		}
	})
}

// counting returns a gateway that keeps limits in db as functions or servers do, with an
// account of [functionstest.Email], and its statement counter.
func counting(t *testing.T, db *store.DB, way string) (*functionstest.Gateway, *atomic.Int64) {
	t.Helper()
	n := &atomic.Int64{}
	db.Observe(func(time.Duration) { n.Add(1) })
	g := functionstest.New(t, db)
	ring, err := keyring.New(keyring.Generate()) // a new keyring, and so separate limits
	if err != nil {
		t.Fatal(err)
	}
	env := config.Map(map[string]string{"RATE_LIMIT_STORE": "database"})
	if way == "server" {
		g.Parts.Limits = setup.Limiter(setting.Of[setup.HTTP](env).Limits, ring, db, nil, time.Now)
	} else {
		g.Parts.Limits = setting.Of[setup.Function](env).Limiter(ring, db)
	}
	settings := g.Settings()
	settings.Limits = g.Parts.Limits
	g.Handle(endpoint.New(settings, g.Routes()...))
	g.Do("POST", "/api/auth/register", map[string]string{"email": functionstest.Email, "password": functionstest.Password}, from(99))
	return g, n
}
