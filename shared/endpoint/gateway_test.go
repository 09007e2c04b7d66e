package endpoint_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
)

func TestResponse_HidesTheCauseAndLogsIt(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/broken": "hunter2", "/panic": "hunter2"} {
		r := newRig(t)
		rec := r.do(t, "GET", path, "")
		if rec.Code != http.StatusInternalServerError || code(t, rec) != "internal_error" {
			t.Errorf("%s: got %d %s", path, rec.Code, rec.Body)
		}
		if strings.Contains(rec.Body.String(), "hunter2") || strings.Contains(rec.Body.String(), "10.0.0.5") ||
			strings.Contains(rec.Body.String(), "goroutine") {
			t.Errorf("%s: the body reveals the cause: %s", path, rec.Body)
		}
		var line struct {
			Level, Cause string
			ID           string `json:"correlation_id"`
		}
		if err := json.Unmarshal(r.log.Bytes(), &line); err != nil || line.Level != "ERROR" ||
			!strings.Contains(line.Cause, want) || line.ID != rec.Header().Get("X-Correlation-ID") {
			t.Errorf("%s: logged %s, %v", path, &r.log, err)
		}
	}
}

func TestResponse_AbortClosesTheConnection(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/half": "in the middle", "/cut": `"level":"WARN","msg":"request"`} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			defer func() {
				if p, _ := recover().(error); !errors.Is(p, http.ErrAbortHandler) {
					t.Errorf("got the panic %v, want http.ErrAbortHandler: the client could not detect a truncated response", p)
				}
				if !strings.Contains(r.log.String(), want) || !strings.Contains(r.log.String(), `"route":"GET `+path) {
					t.Errorf("logged %s", &r.log)
				}
			}()
			r.do(t, "GET", path, "")
		})
	}
}

func TestResponse_DependencyDown(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/down": "2", "/late": "2"} {
		r := newRig(t)
		rec := r.do(t, "GET", path, "")
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != want {
			t.Errorf("%s: got %d, Retry-After %q", path, rec.Code, rec.Header().Get("Retry-After"))
		}
		if !strings.Contains(r.log.String(), `"level":"WARN"`) {
			t.Errorf("%s: logged %s", path, &r.log)
		}
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		status             int
		code, allow        string
	}{
		{"an unknown path", "GET", "/nothing", 404, "not_found", ""},
		{"the root", "GET", "/", 404, "not_found", ""},
		{"a method that is not allowed", "PUT", "/things", 405, "method_not_allowed", "GET, HEAD, POST"},
		{"an unknown method", "BREW", "/things", 405, "method_not_allowed", "GET, HEAD, POST"},
		{"OPTIONS without a preflight", "OPTIONS", "/things", 405, "method_not_allowed", "GET, HEAD, POST"},
		{"a path that a wildcard of another method matches", "DELETE", "/things/all", 405, "method_not_allowed", "POST"},
		{"that path with another method", "PUT", "/things/all", 405, "method_not_allowed", "POST"},
		{"a response without a body", "DELETE", "/things/1", 204, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			rec := r.do(t, test.method, test.path, "")
			if rec.Code != test.status || rec.Header().Get("Allow") != test.allow {
				t.Errorf("got %d, Allow %q, want %d, %q", rec.Code, rec.Header().Get("Allow"), test.status, test.allow)
			}
			if test.code != "" && code(t, rec) != test.code {
				t.Errorf("got %s, want %s", rec.Body, test.code)
			}
			if test.status == 204 && (rec.Body.Len() != 0 || rec.Header().Get("Content-Type") != "") {
				t.Errorf("empty response: got %v %q", rec.Header(), rec.Body)
			}
			method := test.method
			if strings.HasSuffix(test.name, "an unknown method") {
				method = "other"
			}
			if len(r.events) != 1 || r.events[0].Status != test.status || r.events[0].Method != method {
				t.Errorf("observed %+v", r.events)
			}
		})
	}
}

func TestHead_HasTheHeadersOfGet(t *testing.T) {
	t.Parallel()
	got := newRig(t).do(t, "GET", "/things", "")
	head := newRig(t).do(t, "HEAD", "/things", "")
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != got.Header().Get("Content-Length") {
		t.Errorf("HEAD: got %d, %v, %q", head.Code, head.Header(), head.Body)
	}
	if !strings.Contains(got.Body.String(), `"<b>&"`) {
		t.Errorf("JSON is escaped for HTML: %s", got.Body)
	}
}

func TestCorrelationID(t *testing.T) {
	t.Parallel()
	for id, sane := range map[string]bool{
		"a": true, "A-b_c.9": true, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "a b": false, "a\tb": false, "ä": false, `"`: false, "<script>": false,
	} {
		got := newRig(t).do(t, "GET", "/things", "", "X-Correlation-ID: "+id).Header().Get("X-Correlation-ID")
		if (got == id) != sane || got == "" {
			t.Errorf("%q: got %q", id, got)
		}
	}
	first := newRig(t).do(t, "GET", "/things", "").Header().Get("X-Correlation-ID")
	if second := newRig(t).do(t, "GET", "/things", "").Header().Get("X-Correlation-ID"); first == second || first == "" {
		t.Errorf("two requests got the IDs %q and %q", first, second)
	}
}

func TestHeaders_OnEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/things", "/nothing", "/broken", "/mine", "/panic"} {
		h := newRig(t).do(t, "GET", target, "").Header()
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
			"X-XSS-Protection": "1; mode=block", "Server": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", target, name, got, want)
			}
		}
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Permissions-Policy") == "" {
			t.Errorf("%s: %v", target, h)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "https://localhost:8443/things", http.NoBody)
	rec := httptest.NewRecorder()
	newRig(t).handler.ServeHTTP(rec, r)
	if rec.Header().Get("Strict-Transport-Security") != "" {
		t.Error("HSTS is sent for localhost, where it would apply to every port")
	}
}

const app = "https://app.example.org"

func TestCORS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		method  string
		headers []string
		status  int
		allowed bool
	}{
		{"an allowed origin", "GET", []string{"Origin: " + app}, 200, true},
		{"another origin", "GET", []string{"Origin: https://evil.example.com"}, 200, false},
		{"an origin with an allowed prefix", "GET", []string{"Origin: " + app + ".evil.com"}, 200, false},
		{"null", "GET", []string{"Origin: null"}, 200, false},
		{"no origin", "GET", nil, 200, false},
		{"a preflight", "OPTIONS", []string{"Origin: " + app, "Access-Control-Request-Method: POST"}, 204, true},
		{"a preflight of another origin", "OPTIONS", []string{"Origin: null", "Access-Control-Request-Method: POST"}, 204, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rec := newRig(t, app).do(t, test.method, "/things", "", test.headers...)
			h := rec.Header()
			origin := ""
			if test.allowed {
				origin = app
			}
			if rec.Code != test.status || h.Get("Access-Control-Allow-Origin") != origin ||
				(h.Get("Access-Control-Allow-Credentials") == "true") != test.allowed {
				t.Errorf("got %d %v", rec.Code, h)
			}
			if !strings.Contains(h.Get("Vary"), "Origin") {
				t.Errorf("got Vary %q, so a cache could serve the response of another origin", h.Get("Vary"))
			}
			preflight := test.allowed && test.method == "OPTIONS"
			if (h.Get("Access-Control-Allow-Methods") != "") != preflight || (h.Get("Access-Control-Max-Age") != "") != preflight {
				t.Errorf("got %v", h)
			}
		})
	}
}

// TestCORS_AllowsRequestedHeaders checks that the response to a preflight of an allowed origin
// lists exactly the requested headers.
func TestCORS_AllowsRequestedHeaders(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat("x-a,", 64), ",")
	for _, test := range []struct{ name, origin, asked, want string }{
		{"headers of a client and its tracing", app, "authorization,baggage,content-type,sentry-trace,traceparent,tracestate,x-client-env,x-correlation-id",
			"authorization, baggage, content-type, sentry-trace, traceparent, tracestate, x-client-env, x-correlation-id"},
		{"blanks between them", app, "a , b\t,c", "a, b, c"},
		{"none", app, "", ""},
		{"not a token", app, "a,b c", ""},
		{"an empty name", app, "a,,b", ""},
		{"a non-ASCII letter", app, "a,\u00e4", ""},
		{"the maximum number", app, many, strings.ReplaceAll(many, ",", ", ")},
		{"too many", app, many + ",x-a", ""},
		{"too long a name", app, strings.Repeat("a", 4<<10+1), ""},
		{"another origin", "https://evil.example.com", "authorization", ""},
	} {
		h := newRig(t, app).do(t, "OPTIONS", "/things", "", "Origin: "+test.origin,
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: "+test.asked).Header()
		if got := h.Get("Access-Control-Allow-Headers"); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if vary := strings.Join(h.Values("Vary"), ", "); vary != "Origin, Access-Control-Request-Headers" {
			t.Errorf("%s: got Vary %q", test.name, vary)
		}
	}
	h := newRig(t, app).do(t, "GET", "/things", "", "Origin: "+app).Header()
	for _, name := range []string{"Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Link", "Location", "Retry-After", "X-Correlation-ID"} {
		if !strings.Contains(h.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("pages cannot read %s", name)
		}
	}
}

// TestHSTS_IsForHostNamesOnly checks which hosts get no Strict-Transport-Security.
func TestHSTS_IsForHostNamesOnly(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"api.example.org": true, "api.example.org:8443": true, "localhost.example.org": true,
		"localhost": false, "localhost:8443": false, "app.localhost:8443": false, "127.0.0.1": false, "127.0.0.1:8443": false,
		"192.168.1.7:8443": false, "[::1]:8443": false, "[2001:db8::1]": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "https://"+host+"/things", http.NoBody)
		rec := httptest.NewRecorder()
		newRig(t).handler.ServeHTTP(rec, r)
		if got := rec.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%s: %t, want %t", host, got, want)
		}
	}
}

func TestReadOrigins_AcceptsExactOriginsOnly(t *testing.T) {
	t.Parallel()
	for origin, ok := range map[string]bool{
		"https://app.example.org": true, "http://localhost:3000": true, "https://a.org,https://b.org": true,
		"*": false, "null": false, "https://*.example.org": false, "app.example.org": false,
		"https://app.example.org/": false, "https://app.example.org/x": false, "ftp://a.org": false,
		"https://user@a.org": false, "https://": false, "https://a.org:8443": true, "https://192.0.2.1": true,
		"https://[2001:db8::1]:8443": true, "https://xn--bcher-kva.example": true, "http://intra_net": true,
		"https://a.org:443": false, "http://a.org:80": false, "https://a.org:": false, "https://a.org:0": false,
		"https://a.org:65536": false, "https://a.org:08443": false, "https://a.org:x": false,
		"HTTPS://a.org": false, "https://A.org": false, "https://bücher.example": false, "https://a.org?": false,
		"https://a.org#x": false, "https://a..org": false, "https://a.org%2f": false, "https://a b.org": false,
		"https://127.1": false, "https://0x7f000001": false, "https://2130706433": false, "https://[::ffff:192.0.2.1]": false,
		"https://[2001:DB8::1]": false, "https://[fe80::1%25eth0]": false, "//a.org": false, "https:a.org": false,
	} {
		env := config.Map(map[string]string{"ALLOWED_ORIGINS": origin})
		setting.Of[endpoint.Origins](env)
		if (env.Err() == nil) != ok {
			t.Errorf("%s: %v", origin, env.Err())
		}
	}
}

func TestRefreshCookie_CrossSiteIsRejected(t *testing.T) {
	t.Parallel()
	cookie := "Cookie: " + token.RefreshCookie + "=x"
	for _, test := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"no browser", []string{cookie}, 204},
		{"the same origin", []string{cookie, "Sec-Fetch-Site: same-origin"}, 204},
		{"an allowed origin", []string{cookie, "Origin: " + app, "Sec-Fetch-Site: cross-site"}, 204},
		{"another site", []string{cookie, "Origin: https://evil.example.com", "Sec-Fetch-Site: cross-site"}, 403},
		{"another site in an old browser", []string{cookie, "Origin: https://evil.example.com"}, 403},
		{"another site without the cookie", []string{"Origin: https://evil.example.com", "Sec-Fetch-Site: cross-site"}, 204},
		{"a sibling host of the same site", []string{cookie, "Origin: https://blog.example.org", "Sec-Fetch-Site: same-site"}, 403},
		{"a sandboxed page", []string{cookie, "Origin: null", "Sec-Fetch-Site: cross-site"}, 403},
		{"a sandboxed page in an old browser", []string{cookie, "Origin: null"}, 403},
		{"the same origin in an old browser", []string{cookie, "Origin: https://gateway.example.org"}, 204},
		{"an allowed origin in an old browser", []string{cookie, "Origin: " + app}, 204},
		{"the cookie twice", []string{cookie, cookie, "Origin: https://evil.example.com"}, 403},
		{"a user who typed the address", []string{cookie, "Sec-Fetch-Site: none"}, 204},
	} {
		if rec := newRig(t, app).do(t, "DELETE", "/things/1", "", test.headers...); rec.Code != test.status {
			t.Errorf("%s: got %d, want %d", test.name, rec.Code, test.status)
		}
	}
}
