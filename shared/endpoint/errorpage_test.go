package endpoint_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// failing is a gateway with routes that fail.
func failing() http.Handler {
	fail := func(err error) http.Handler {
		return endpoint.Raw(func(http.ResponseWriter, *http.Request) error { return err })
	}
	return endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now},
		endpoint.Route{Pattern: "GET /busy", Handler: fail(fault.New(fault.Unavailable, "busy", "Busy.").After(7 * time.Second))},
		endpoint.Route{Pattern: "POST /form", Handler: fail(fault.New(fault.RateLimited, "rate_limited", "Too many.").After(3 * time.Second))},
		endpoint.Route{Pattern: "GET /broken", Handler: fail(errors.New("a secret cause"))},
		endpoint.Route{Pattern: "GET /large", Handler: fail(fault.New(fault.TooLarge, "large", "Too large."))},
		endpoint.Route{Pattern: "GET /api/users/me", Handler: fail(context.DeadlineExceeded)},
		endpoint.Route{Pattern: "GET /health", Handler: fail(errors.New("down"))},
	)
}

func fetch(t *testing.T, method, path string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	failing().ServeHTTP(w, r)
	return w
}

// TestErrors_ArePagesForBrowsers checks who gets a page and who a problem.
func TestErrors_ArePagesForBrowsers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, path, accept string
		status                     int
		page                       bool
	}{
		{"an unknown path in a browser", "GET", "/nothing", browser, 404, true},
		{"its headers", "HEAD", "/nothing", browser, 404, true},
		{"a method that does not exist", "POST", "/busy", browser, 405, true},
		{"a form", "POST", "/form", browser, 429, true},
		{"HTML alone", "GET", "/busy", "text/html", 503, true},
		{"more HTML than JSON", "GET", "/busy", "application/json;q=0.5, text/html", 503, true},
		{"a status without words of its own", "GET", "/large", browser, 413, true},
		{"an internal error", "GET", "/broken", browser, 500, true},
		{"a path that is not canonical", "GET", "/a//b", browser, 400, true},
		{"something below a path that begins like the API", "GET", "/apiary", browser, 404, true},
		{"a path of the API", "GET", "/api/users/me", browser, 503, false},
		{"an unknown path of the API", "GET", "/api/nothing", browser, 404, false},
		{"the API itself", "GET", "/api", browser, 404, false},
		{"a probe", "GET", "/health", browser, 500, false},
		{"curl", "GET", "/nothing", "*/*", 404, false},
		{"any text", "GET", "/nothing", "text/*", 404, false},
		{"a program without a header", "GET", "/nothing", "", 404, false},
		{"a client of the API", "GET", "/nothing", "application/json, text/plain, */*", 404, false},
		{"JSON and HTML alike", "GET", "/nothing", "application/json, text/html", 404, false},
		{"no HTML", "GET", "/nothing", "text/html;q=0", 404, false},
		{"a weight that is none", "GET", "/nothing", "text/html;q=x", 404, false},
	} {
		w := fetch(t, tt.method, tt.path, map[string]string{"Accept": tt.accept})
		want := "application/problem+json"
		if tt.page {
			want = "text/html; charset=utf-8"
		}
		if got := w.Header().Get("Content-Type"); w.Code != tt.status || got != want {
			t.Errorf("%s: %d %s, want %d %s", tt.name, w.Code, got, tt.status, want)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Correlation-Id") == "" {
			t.Errorf("%s: the headers are %v", tt.name, w.Header())
		}
	}
}

func TestErrorPage_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := fetch(t, "POST", "/form", map[string]string{"Accept": browser, "X-Correlation-ID": "ref-1"})
	for _, want := range []string{`<html lang="en">`, "One moment, please", "Try again in 3 seconds.", "<code>ref-1</code>"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page lacks %s:\n%s", want, w.Body)
		}
	}
	if w.Header().Get("Retry-After") != "3" {
		t.Errorf("Retry-After is %s", w.Header().Get("Retry-After"))
	}
	for path, want := range map[string]string{
		"/nothing": `href="./"`, "/nothing/": `href="./../"`, "/not%2Fhing/a/b": `href="./../../"`, strings.Repeat("/deep", 500): "",
	} {
		body := fetch(t, "GET", path, map[string]string{"Accept": browser}).Body.String()
		if !strings.Contains(body, want) || want == "" && (strings.Contains(body, "href") || len(body) > 8000) {
			t.Errorf("%s: the way to the start page is not %s:\n%s", path, want, body)
		}
	}
	w = fetch(t, "GET", "/broken", map[string]string{"Accept": browser, "Accept-Language": "fr, de-CH;q=0.9, en;q=0.5"})
	if body := w.Body.String(); !strings.Contains(body, `<html lang="de">`) || !strings.Contains(body, "schiefgegangen") || strings.Contains(body, "secret") {
		t.Errorf("the page in German is\n%s", body)
	}
	if got := w.Header().Get("Content-Language"); got != "de" {
		t.Errorf("Content-Language is %s", got)
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	if body := fetch(t, "HEAD", "/nothing", map[string]string{"Accept": browser}).Body.String(); body != "" {
		t.Errorf("the response to HEAD has a body: %q", body)
	}
}
