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

func TestMain(m *testing.M) {
	if os.Getenv(nextcloudVariable) != "" {
		os.Exit(serveNextcloud())
	}
	os.Exit(storetest.Run(m))
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
		{"log in elsewhere", "POST", loginPath, right, from(2), 200, 6, 7}, // it records the network
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
