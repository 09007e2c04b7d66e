package keys_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const (
	keysPath     = "/api/auth/api-keys"
	mePath       = "/api/users/me"
	sessionsPath = "/api/sessions"
)

func request(scopes ...string) map[string]any {
	return map[string]any{"name": "a script", "scopes": scopes}
}

// create creates a key and returns it as a header, and its id.
func create(g *functionstest.Gateway, login functionstest.Option, body map[string]any) (key functionstest.Option, id string) {
	made := g.Do("POST", keysPath, body, login)
	made.Want(http.StatusCreated, "")
	return functionstest.Bearer(made.Get("key")), made.Get("id")
}

// TestKeys follows a key from its creation to its end.
func TestKeys(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		made := g.Do("POST", keysPath, `{"name":" a script ","scopes":["sessions:write","profile:read","sessions:read","profile:read"],"expires_in_days":2}`, ada).
			Want(http.StatusCreated, "")
		plain, id := made.Get("key"), made.Get("id")
		if !strings.HasPrefix(plain, made.Get("key_prefix")) || len(made.Get("key_prefix")) != 11 || made.Get("name") != "a script" ||
			made.Get("scopes") != `["profile:read","sessions:read","sessions:write"]` || made.Header.Get("Location") != keysPath+"/"+id ||
			made.Get("expires_at") != "2026-03-03T12:00:00Z" {
			t.Errorf("got %v %s", made.Header, made.Body)
		}
		key := functionstest.Bearer(plain)
		if got, want := g.Do("GET", mePath, nil, key).Want(http.StatusOK, "").Body, g.Do("GET", mePath, nil, ada).Body; got != want {
			t.Errorf("GET with the key: got %s, want %s", got, want)
		}
		at := g.Do("POST", sessionsPath, `{"title":"by a key"}`, key).Want(http.StatusCreated, "").Header.Get("Location")
		g.Do("PATCH", at, `{"title":"again"}`, key).Want(http.StatusOK, "")
		g.Do("GET", at, nil, key).Want(http.StatusOK, "")
		g.Do("GET", at, nil, ada).Want(http.StatusOK, "")
		g.Do("DELETE", at, nil, key).Want(http.StatusNoContent, "")

		list := g.Do("GET", keysPath, nil, ada).Want(http.StatusOK, "")
		var held []struct{ ID, Last_used_at string } //nolint:revive // the names of the wire
		list.Into(&held)
		if len(held) != 1 || held[0].ID != id || held[0].Last_used_at != "2026-03-01T12:00:00Z" || strings.Contains(list.Body, plain) {
			t.Errorf("got %s", list.Body)
		}
		if strings.Contains(g.Log(), plain) {
			t.Error("the log contains the key")
		}
		if !strings.Contains(g.Log(), `"api_key_id":"`+id+`"`) {
			t.Error("the log does not name the key of a request")
		}
		g.Advance(48*time.Hour - time.Second)
		g.Do("GET", mePath, nil, key).Want(http.StatusOK, "")
		g.Advance(time.Second)
		g.Do("GET", mePath, nil, key).Want(http.StatusUnauthorized, "api_key_expired")
		ada = functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
		g.Do("DELETE", keysPath+"/"+id, nil, ada).Want(http.StatusNoContent, "")
		g.Do("GET", mePath, nil, key).Want(http.StatusUnauthorized, "invalid_api_key")
		for _, gone := range []string{id, "x"} {
			g.Do("DELETE", keysPath+"/"+gone, nil, ada).Want(http.StatusNotFound, "not_found")
		}
	})
}

// TestKeys_StayWithinTheirScopes calls with keys that lack the scope.
func TestKeys_StayWithinTheirScopes(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	ada := functionstest.Bearer(p.Access)
	for _, test := range []struct{ scope, method, path, body, code string }{
		{"sessions:read", "POST", sessionsPath, `{"title":"x"}`, "insufficient_scope"},
		{"sessions:write", "GET", sessionsPath, ``, "insufficient_scope"},
		{"sessions:read", "GET", mePath, ``, "insufficient_scope"},
		{"files:read", "PUT", "/api/files/a", `x`, "insufficient_scope"},
		{"files:write", "GET", "/api/files/a", ``, "insufficient_scope"},
		{"profile:read", "PATCH", mePath, `{"full_name":"x"}`, "api_key_not_accepted"},
		{"profile:read", "GET", keysPath, ``, "api_key_not_accepted"},
		{"profile:read", "POST", keysPath, `{"name":"x","scopes":["files:write"],"password":"` + functionstest.Password + `"}`, "api_key_not_accepted"},
		{"profile:read", "GET", mePath + "/logins", ``, "api_key_not_accepted"},
	} {
		key, _ := create(g, ada, request(test.scope))
		var body any
		if test.body != "" {
			body = test.body
		}
		g.Do(test.method, test.path, body, key).Want(http.StatusForbidden, test.code)
		g.Do("DELETE", keysPath+"/"+g.Do("GET", keysPath, nil, ada).Body[8:44], nil, ada).Want(http.StatusNoContent, "")
	}
}

// TestKeys_EndWith checks what ends keys and what keeps them.
func TestKeys_EndWith(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, root := g.Admin("root@example.org")
		admin := functionstest.Bearer(root.Access)
		change := func(more string) string {
			return fmt.Sprintf(`{"current_password":%q,"new_password":"another horse battery staple"%s}`, functionstest.Password, more)
		}
		for n, test := range []struct {
			method, path, body string
			byAdmin, stays     bool
		}{
			{"POST", "/api/users/change-password", change(""), false, false},
			{"POST", "/api/users/change-password", change(`,"keep_api_keys":true`), false, true},
			{"POST", "/api/auth/logout", "", false, true},
			{"POST", "/api/auth/logout?all=true", "", false, false},
			{"POST", "/api/auth/logout?all=true", `{"keep_api_keys":true}`, false, true},
			{"POST", "/api/users/ID/logout", "", true, false},
			{"POST", "/api/users/ID/logout", `{"keep_api_keys":true}`, true, true},
			{"PATCH", "/api/users/ID", `{"disabled":true}`, true, false},
			{"DELETE", "/api/users/ID", "", true, false},
		} {
			email := fmt.Sprintf("user%d@example.org", n)
			id := string(g.Register(email, functionstest.Password))
			login := functionstest.Bearer(g.Login(email, functionstest.Password).Access)
			key, _ := create(g, login, request("profile:read"))
			by := login
			if test.byAdmin {
				by = admin
			}
			var body any
			if test.body != "" {
				body = test.body
			}
			if a := g.Do(test.method, strings.ReplaceAll(test.path, "ID", id), body, by); a.Status >= 300 {
				t.Fatalf("%s %s: %d %s", test.method, test.path, a.Status, a.Body)
			}
			if test.path == "/api/users/ID" && test.method == "PATCH" {
				g.Do("PATCH", "/api/users/"+id, `{"disabled":false}`, admin).Want(http.StatusOK, "")
			}
			if got := g.Do("GET", mePath, nil, key).Status == http.StatusOK; got != test.stays {
				t.Errorf("%s %s %s: the key works: %v, want %v", test.method, test.path, test.body, got, test.stays)
			}
		}
	})
}

// TestCreate_RequiresThePassword lets the login grow old.
func TestCreate_RequiresThePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		g.Advance(10 * time.Minute)
		create(g, ada, request("profile:read"))
		g.Advance(time.Second)
		g.Do("POST", keysPath, request("profile:read"), ada).Want(http.StatusForbidden, "reauthentication_required")
		body := request("profile:read")
		body["password"] = "wrong"
		g.Do("POST", keysPath, body, ada).Want(http.StatusBadRequest, "incorrect_password")
		body["password"] = functionstest.Password
		create(g, ada, body)
	})
}

// TestCreate_EnforcesTheLimit creates keys concurrently.
func TestCreate_EnforcesTheLimit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		var made, refused atomic.Int64
		var wg sync.WaitGroup
		for range apikey.MaxPerUser + 5 {
			wg.Go(func() {
				switch a := g.Do("POST", keysPath, request("profile:read"), ada); a.Status {
				case http.StatusCreated:
					made.Add(1)
				case http.StatusConflict:
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if made.Load() > apikey.MaxPerUser {
			t.Errorf("%d keys were created, want at most %d", made.Load(), apikey.MaxPerUser)
		}
		for made.Load() < apikey.MaxPerUser { // those that lost every race
			create(g, ada, request("profile:read"))
			made.Add(1)
		}
		g.Do("POST", keysPath, request("profile:read"), ada).Want(http.StatusConflict, "too_many_api_keys")
	})
}

// TestKeys_LastUseIsWrittenOnceAMinute counts the statements of requests with a key.
func TestKeys_LastUseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var n atomic.Int64
		db.Observe(func(time.Duration) { n.Add(1) })
		g := functionstest.New(t, db)
		_, p := g.Person()
		key, _ := create(g, functionstest.Bearer(p.Access), request("profile:read"))
		var got []int64
		for _, wait := range []time.Duration{0, 0, time.Minute - time.Second, time.Second, 0} {
			g.Advance(wait)
			n.Store(0)
			g.Do("GET", mePath, nil, key).Want(http.StatusOK, "")
			got = append(got, n.Load())
		}
		if diff := cmp.Diff([]int64{2, 1, 1, 2, 1}, got); diff != "" {
			t.Errorf("statements (-want +got):\n%s", diff)
		}
		n.Store(0)
		g.Do("GET", mePath, nil, functionstest.Bearer("va_mistyped")).Want(http.StatusUnauthorized, "invalid_api_key")
		if n.Load() != 0 {
			t.Errorf("a mistyped key costs %d statements, want 0", n.Load())
		}
	})
}

// TestKeys_AreLimited sends requests with one key from many addresses.
func TestKeys_AreLimited(t *testing.T) {
	t.Parallel()
	g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"API_KEY_RATE_LIMIT_PER_MINUTE": "5"})
	_, p := g.Person()
	ada := functionstest.Bearer(p.Access)
	key, _ := create(g, ada, request("profile:read"))
	other, _ := create(g, ada, request("profile:read"))
	for n := range 5 {
		g.Do("GET", mePath, nil, key, functionstest.From(fmt.Sprintf("198.51.100.%d", n))).Want(http.StatusOK, "")
	}
	a := g.Do("GET", mePath, nil, key, functionstest.From("198.51.100.99")).Want(http.StatusTooManyRequests, "rate_limited")
	if a.Header.Get("RateLimit-Policy") != `"api_key";q=5;w=60` || a.Header.Get("Retry-After") == "" {
		t.Errorf("got %v", a.Header)
	}
	g.Do("GET", mePath, nil, other).Want(http.StatusOK, "")
	g.Do("GET", mePath, nil, ada).Want(http.StatusOK, "")
}

func TestCreate_BadInput(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	for _, body := range []string{
		`{}`, `{"name":"x"}`, `{"name":"x","scopes":[]}`, `{"name":"x","scopes":["admin"]}`, `{"name":"x","scopes":["sessions:read","*"]}`,
		`{"name":" ","scopes":["files:read"]}`, `{"name":"a\u202eb","scopes":["files:read"]}`,
		`{"name":"x","scopes":["files:read"],"expires_in_days":0}`, `{"name":"x","scopes":["files:read"],"expires_in_days":3651}`,
		`{"name":"x","scopes":["files:read"],"user_id":"x"}`,
	} {
		g.Do("POST", keysPath, body, functionstest.Bearer(p.Access)).Want(http.StatusUnprocessableEntity, "validation_failed")
	}
	g.Do("POST", keysPath, `{"name":"x","scopes":["files:read"],"expires_in_days":null}`, functionstest.Bearer(p.Access)).Want(http.StatusCreated, "")
}

// TestKeys_OutcomesAreObserved: the server's metrics count what becomes of keys.
func TestKeys_OutcomesAreObserved(t *testing.T) {
	t.Parallel()
	g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"API_KEY_RATE_LIMIT_PER_MINUTE": "1"})
	var got []string
	settings := g.Settings()
	settings.Observe = func(_ context.Context, e endpoint.Event) { got = append(got, e.Key) }
	g.Handle(endpoint.New(settings, g.Routes()...))
	_, p := g.Person()
	key, _ := create(g, functionstest.Bearer(p.Access), request("profile:read"))
	got = nil
	for _, call := range []struct {
		path string
		key  functionstest.Option
	}{
		{mePath, functionstest.Bearer(p.Access)}, {mePath, key}, {mePath, key}, {"/api/sessions", key}, {keysPath, key},
		{mePath, functionstest.Bearer("va_mistyped")},
	} {
		g.Do("GET", call.path, nil, call.key)
	}
	want := []string{"", endpoint.KeyAccepted, "rate_limited", "insufficient_scope", "api_key_not_accepted", "invalid_api_key"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
