package functions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// keyRoutes are the routes that accept API keys. Nothing else does: a new scope here
// is a decision.
var keyRoutes = map[string]apikey.Scope{
	"GET /api/users/me":           apikey.ProfileRead,
	"GET /api/auth/me":            apikey.ProfileRead,
	"GET /api/sessions":           apikey.SessionsRead,
	"GET /api/sessions/{id}":      apikey.SessionsRead,
	"POST /api/sessions":          apikey.SessionsWrite,
	"PATCH /api/sessions/{id}":    apikey.SessionsWrite,
	"DELETE /api/sessions/{id}":   apikey.SessionsWrite,
	"GET /api/files/{path...}":    apikey.FilesRead,
	"PUT /api/files/{path...}":    apikey.FilesWrite,
	"DELETE /api/files/{path...}": apikey.FilesWrite,
	"POST /api/files/{path...}":   apikey.FilesWrite,
}

func TestScopes_OfRoutes(t *testing.T) {
	t.Parallel()
	got := map[string]apikey.Scope{}
	for _, r := range (&functions.Parts{}).Routes() {
		if r.Scope != "" {
			got[r.Pattern] = r.Scope
		}
	}
	if diff := cmp.Diff(keyRoutes, got); diff != "" {
		t.Errorf("routes that accept API keys (-want +got):\n%s", diff)
	}
}

// TestScopes_OtherRoutesRefuseKeys sends a key with all scopes of an administrator to every
// route that takes an access token and has no scope.
func TestScopes_OtherRoutesRefuseKeys(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, root := g.Admin("root@example.org")
	admin := functionstest.Bearer(root.Access)
	made := g.Do("POST", "/api/auth/api-keys", map[string]any{"name": "x", "scopes": apikey.AllScopes()}, admin).Want(http.StatusCreated, "")
	key := functionstest.Bearer(made.Get("key"))
	refused := 0
	for _, r := range (&functions.Parts{}).Routes() {
		method, path, _ := strings.Cut(r.Pattern, " ")
		path = strings.NewReplacer("{id}", string(id), "{user_id}", string(id), "{path...}", "a").Replace(path)
		if g.Do(method, path, nil).Status != http.StatusUnauthorized || r.Scope != "" {
			continue // public
		}
		if path == "/api/auth/refresh" || path == "/api/auth/logout" {
			continue // which take other tokens, and refuse a key as one of those
		}
		if a := g.Do(method, path, nil, key); a.Status != http.StatusForbidden || a.Get("code") != "api_key_not_accepted" {
			t.Errorf("%s: got %d %s", r.Pattern, a.Status, a.Body)
		}
		refused++
	}
	if refused < 20 {
		t.Errorf("only %d routes were checked", refused)
	}
	for _, path := range []string{"/api/auth/logout", "/api/auth/logout?all=true"} {
		g.Do("POST", path, nil, key).Want(http.StatusUnauthorized, "invalid_token")
	}
}
