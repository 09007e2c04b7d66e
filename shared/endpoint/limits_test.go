package endpoint_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// limitedRig serves a route that counts its calls and detects reads of the body, with a
// general limit and a limit of 2 logins a minute.
type limitedRig struct {
	handler http.Handler
	reached int
	log     bytes.Buffer
	seconds int // that the clock has advanced
}

func newLimitedRig(t *testing.T, general string) *limitedRig {
	t.Helper()
	env := config.Map(map[string]string{
		"RATE_LIMIT_PER_MINUTE": general, "LOGIN_RATE_LIMIT_PER_MINUTE": "2", "TRUSTED_PROXIES": "10.0.0.0/8",
	})
	rig := &limitedRig{}
	now := func() time.Time { return time.Date(2026, 3, 1, 12, 0, rig.seconds, 0, time.UTC) }
	busy := func() error { return fault.New(fault.Unavailable, "busy", "Too much to do.").After(time.Second) }
	reach := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { rig.reached++ })
	rig.handler = endpoint.New(endpoint.Settings{
		Log: slog.New(slog.NewJSONHandler(&rig.log, nil)), Origins: endpoint.Origins{app}, Proxies: *setting.Of[endpoint.Proxies](env), Now: now,
		Limits: ratelimit.New(*setting.Of[ratelimit.Settings](env), nil, ratelimit.Stores{}, now),
	}, endpoint.Routes{
		{Pattern: "GET /things", Handler: reach},
		{Pattern: "POST /login", Handler: reach, Limit: ratelimit.Login},
		{Pattern: "POST /busy", Handler: reach, Limit: ratelimit.Login, Busy: busy},
		{Pattern: "GET /health", Handler: reach, Limit: ratelimit.Unlimited},
	}...)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	return rig
}

// untouched is a body that must not be read before the limit is checked.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body of a request over the limit was read")
	return 0, fmt.Errorf("unread")
}

func (r *limitedRig) do(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "https://gateway.example.org"+path, untouched{t})
	req.RemoteAddr = "10.1.2.3:5000" // a proxy
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	return rec
}

func TestLimits_AreInEveryResponse(t *testing.T) {
	t.Parallel()
	rig := newLimitedRig(t, "100")
	for i, step := range []struct {
		method, path     string
		status           int
		policy, left     string
		retry, forwarded string
	}{
		{"GET", "/things", 200, `"default";q=100;w=60`, `"default";r=99;t=1`, "", ""},
		{"GET", "/nothing", 404, `"default";q=100;w=60`, `"default";r=98;t=1`, "", ""},
		{"POST", "/things", 405, `"default";q=100;w=60`, `"default";r=97;t=1`, "", ""},
		{"GET", "/a//b", 400, `"default";q=100;w=60`, `"default";r=96;t=1`, "", ""},
		{"POST", "/login", 200, `"login";q=2;w=60`, `"login";r=1;t=30`, "", ""},
		{"POST", "/login", 200, `"login";q=2;w=60`, `"login";r=0;t=30`, "", ""},
		{"POST", "/login", 429, `"login";q=2;w=60`, `"login";r=0;t=30`, "30", ""},
		{"POST", "/login", 429, `"login";q=2;w=60`, `"login";r=0;t=30`, "30", "6.6.6.6, 203.0.113.9"}, // forged
		{"POST", "/login", 200, `"login";q=2;w=60`, `"login";r=1;t=30`, "", "203.0.113.10"},
		{"GET", "/things", 200, `"default";q=100;w=60`, `"default";r=91;t=1`, "", ""},
		{"GET", "/health", 200, "", "", "", ""},
	} {
		var headers []string
		if step.forwarded != "" {
			headers = append(headers, "X-Forwarded-For: "+step.forwarded)
		}
		rec := rig.do(t, step.method, step.path, headers...)
		h := rec.Header()
		if rec.Code != step.status || h.Get("RateLimit-Policy") != step.policy || h.Get("RateLimit") != step.left || h.Get("Retry-After") != step.retry {
			t.Errorf("step %d, %s %s: got %d %v", i+1, step.method, step.path, rec.Code, h)
		}
	}
}

func TestLimits_RefusalIsAProblemReadableByPages(t *testing.T) {
	t.Parallel()
	rig := newLimitedRig(t, "1")
	rig.do(t, "GET", "/things")
	rec := rig.do(t, "GET", "/things", "Origin: "+app)
	h := rec.Header()
	if rec.Code != http.StatusTooManyRequests || code(t, rec) != "rate_limited" || h.Get("Content-Type") != "application/problem+json" ||
		h.Get("Access-Control-Allow-Origin") != app || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "RateLimit-Policy") {
		t.Errorf("got %d %v %s", rec.Code, h, rec.Body)
	}
	if rig.reached != 1 {
		t.Errorf("%d requests were served, want 1", rig.reached)
	}
}

// TestBusy_IsAnsweredBeforeAnyWork checks that a busy route does not read the body. The
// request still counts against the limits.
func TestBusy_IsAnsweredBeforeAnyWork(t *testing.T) {
	t.Parallel()
	rig := newLimitedRig(t, "100")
	for i, want := range []int{http.StatusServiceUnavailable, http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		if rec := rig.do(t, "POST", "/busy"); rec.Code != want || rec.Header().Get("Retry-After") == "" {
			t.Errorf("request %d: got %d %v, want %d", i+1, rec.Code, rec.Header(), want)
		}
	}
	if rig.reached != 0 {
		t.Errorf("%d requests were served", rig.reached)
	}
}

// TestRefusals_AreLoggedInPart checks that a flood of refusals writes a bounded log, which says
// how many lines it omits, and that other requests are logged as before.
func TestRefusals_AreLoggedInPart(t *testing.T) {
	t.Parallel()
	const flood, logged = 1000, 60
	rig := newLimitedRig(t, "1")
	for range 1 + flood {
		rig.do(t, "GET", "/things") // the first is served
	}
	if lines := strings.Count(rig.log.String(), "\n"); lines != 1+logged {
		t.Errorf("%d lines in the log, want %d", lines, 1+logged)
	}
	rig.log.Reset()
	rig.do(t, "GET", "/health")
	if !strings.Contains(rig.log.String(), `"status":200`) {
		t.Errorf("a request during the flood is logged as %q", &rig.log)
	}
	rig.seconds = 60
	rig.do(t, "GET", "/things") // again allowed
	rig.log.Reset()
	rig.do(t, "GET", "/things")
	if !strings.Contains(rig.log.String(), fmt.Sprintf(`"omitted":%d`, flood-logged)) {
		t.Errorf("a refusal after the flood is logged as %q", &rig.log)
	}
}

func TestLimits_ExemptPreflightsAndHealth(t *testing.T) {
	t.Parallel()
	rig := newLimitedRig(t, "1")
	for range 3 {
		if rec := rig.do(t, "OPTIONS", "/things", "Origin: "+app, "Access-Control-Request-Method: GET"); rec.Code != http.StatusNoContent {
			t.Errorf("preflight: got %d", rec.Code)
		}
		if rec := rig.do(t, "GET", "/health"); rec.Code != http.StatusOK {
			t.Errorf("/health: got %d", rec.Code)
		}
	}
	if rec := rig.do(t, "GET", "/things"); rec.Code != http.StatusOK {
		t.Errorf("preflights or health checks were counted: got %d", rec.Code)
	}
}

func TestLimits_PrecedeTheOriginCheckOfTheCookie(t *testing.T) {
	t.Parallel()
	rig := newLimitedRig(t, "1")
	forged := []string{"Origin: https://evil.example.com", "Cookie: " + token.RefreshCookie + "=x"}
	if rec := rig.do(t, "POST", "/login", forged...); rec.Code != http.StatusForbidden {
		t.Errorf("got %d", rec.Code)
	}
	if rec := rig.do(t, "POST", "/login", forged...); rec.Code != http.StatusTooManyRequests {
		t.Errorf("forged requests are not counted: got %d", rec.Code)
	}
}
