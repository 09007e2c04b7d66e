package test_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// always holds the headers of every response, on every route and through every way of
// running the gateway.
var always = map[string]string{
	"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
	"X-Content-Type-Options":    "nosniff",
	"X-Frame-Options":           "DENY",
	"X-Xss-Protection":          "1; mode=block",
	"Referrer-Policy":           "no-referrer",
	"Permissions-Policy":        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Vary":                      "Origin",
	"Server":                    "",
	"X-Powered-By":              "",
}

const (
	noContent = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	noStore   = "no-store"
)

// cached holds the responses that contain nothing personal and may be cached, by
// operation. It applies to statuses below 400 only.
var cached = map[string]string{
	"GET /.well-known/jwks.json": "public, max-age=3600", "GET /openapi.json": "public, max-age=300", "GET /docs": "public, max-age=300",
	"GET /api/auth/registration": "public, max-age=60",
}

// TestHeaders calls every operation in ways that succeed and fail, through every way of
// running the gateway, and checks the headers of each response.
func TestHeaders(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, root := g.Admin("root@example.org")
	handler := endpoint.New(g.Settings(), g.Routes()...)
	broken := endpoint.New(g.Settings(), endpoint.Route{Pattern: "/", Handler: endpoint.Raw(func(http.ResponseWriter, *http.Request) error {
		panic("a bug")
	})})
	for _, front := range faastest.Fronts() {
		t.Run(front.String(), func(t *testing.T) {
			t.Parallel()
			seen := headersOf(t, front.Client(faas.Handler(handler)), root.Access, docs.Operations())
			checkResponse(t, front.Client(faas.Handler(broken)), "GET", "/", seen)
			covers(t, seen, "2xx", "400", "401", "404", "405", "415", "422", "500")
		})
	}
	t.Run("binary", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		env := []string{"JWT_SECRET=" + keyring.Generate().Reveal()}
		admin(t, dir, env)
		way := start(t, dir, nil, env...).target()
		saved := map[string]string{}
		play(t, way, []step{{name: "log in", method: "POST", path: loginAddress, body: `{"email":"root@example.com","password":"` + strings.TrimSpace(rootPassword) + `"}`,
			status: 200, save: map[string]string{"access": "access_token"}}}, saved)
		operations := append(docs.Operations(), "GET /openapi.json", "GET /docs")
		for _, asset := range docsAssets(t, way) {
			operations = append(operations, "GET "+asset)
		}
		seen := headersOf(t, way.client.Transport, saved["access"], operations)
		covers(t, seen, "2xx", "400", "401", "404", "405", "415", "422")
	})
}

// docsAssets returns the paths of the scripts and styles that /docs loads.
func docsAssets(t *testing.T, way target) []string {
	t.Helper()
	resp, err := way.client.Get(way.url + "/docs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var assets []string
	for _, m := range regexp.MustCompile(`(?:src|href)="(/docs/[^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		assets = append(assets, m[1])
	}
	if len(assets) == 0 {
		t.Fatal("/docs loads neither a script nor a style")
	}
	return assets
}

// covers fails the test unless every kind of response was seen.
func covers(t *testing.T, seen map[string]int, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if seen[kind] == 0 {
			t.Errorf("got no response of the kind %s, so the test proves nothing about it; got %v", kind, seen)
		}
	}
}

// headersOf calls all operations without authentication, as an administrator, with other
// methods and with bad bodies, and returns how many responses of each kind it got. Calls
// that end the administrator's login come last.
func headersOf(t *testing.T, way http.RoundTripper, access string, operations []string) map[string]int {
	t.Helper()
	seen, id := map[string]int{}, "019ce000-0000-7000-8000-000000000000"
	bearer := "Authorization: Bearer " + access
	fill := strings.NewReplacer("{id}", id, "{user_id}", id, "{path}", "x.txt")
	paths := map[string]bool{}
	for _, operation := range operations {
		method, path, _ := strings.Cut(operation, " ")
		path = fill.Replace(path)
		paths[path] = true
		for _, headers := range [][]string{nil, {"Authorization: Bearer x"}, {bearer, "Content-Type: text/plain"}, {bearer, "Content-Type: application/json"}} {
			if path == "/api/auth/logout" && len(headers) > 1 {
				continue // the others need the token
			}
			checkResponse(t, way, method, path, seen, headers...)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		checkResponse(t, way, "BREW", path, seen)
		checkResponse(t, way, "OPTIONS", path, seen, "Origin: https://app.example.org", "Access-Control-Request-Method: GET")
		checkResponse(t, way, "GET", path, seen, "Origin: https://evil.example.com")
	}
	checkResponse(t, way, "GET", "/nothing", seen)
	checkResponse(t, way, "GET", "//", seen)
	checkResponse(t, way, "POST", "/api/sessions", seen, bearer, "Content-Type: application/json", `{"title":"x"}`)
	checkResponse(t, way, "POST", "/api/sessions", seen, bearer, "Content-Type: application/json", `{"title":""}`)
	checkResponse(t, way, "POST", "/api/auth/register", seen, "Content-Type: application/json", fmt.Sprintf(`{"email":"new@example.org","password":%q}`, plain))
	checkResponse(t, way, "POST", loginAddress, seen, "Content-Type: application/json", fmt.Sprintf(`{"email":"new@example.org","password":%q}`, plain))
	checkResponse(t, way, "POST", "/api/auth/logout", seen, bearer)
	return seen
}

// checkResponse sends one request and checks its response against the table. The last element of
// more may be the body.
func checkResponse(t *testing.T, way http.RoundTripper, method, path string, seen map[string]int, more ...string) {
	t.Helper()
	body := ""
	if method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE" {
		body = "{"
	}
	r, err := http.NewRequestWithContext(t.Context(), method, public+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range more {
		if name, value, ok := strings.Cut(h, ": "); ok && h[0] != '{' {
			r.Header.Set(name, value)
		} else {
			body = h
		}
	}
	if r.Header.Get("Content-Type") != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	resp, err := way.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode < 300:
		seen["2xx"]++
	default:
		seen[fmt.Sprint(resp.StatusCode)]++
	}
	want := maps.Clone(always)
	want["Content-Security-Policy"], want["Cache-Control"] = noContent, noStore
	if r.Header.Get("Access-Control-Request-Method") != "" {
		want["Vary"] = "Origin, Access-Control-Request-Headers"
	}
	if method == "GET" && resp.StatusCode < http.StatusBadRequest && (path == "/openapi.json" || strings.HasPrefix(path, "/docs")) {
		want["Vary"] = "Origin, Accept-Encoding"
		if path != "/docs" && path != "/openapi.json" {
			want["Cache-Control"] = "public, max-age=31536000, immutable"
		}
	}
	if kept, ok := cached[method+" "+path]; ok && resp.StatusCode < http.StatusBadRequest {
		want["Cache-Control"] = kept
	}
	if path == "/docs" && resp.StatusCode < http.StatusBadRequest && method == "GET" {
		delete(want, "Content-Security-Policy")
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("the page has the content security policy %q", policy)
		}
	}
	for name, value := range want {
		if got := strings.Join(resp.Header.Values(name), ", "); got != value {
			t.Errorf("%s %s: got %d with %s %q, want %q", method, path, resp.StatusCode, name, got, value)
		}
	}
	if resp.Header.Get("X-Correlation-ID") == "" {
		t.Errorf("%s %s: got %d without X-Correlation-ID", method, path, resp.StatusCode)
	}
}
