package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// watched returns a gateway that reports to metrics.
func watched(t *testing.T, vars map[string]string) (*Metrics, *functionstest.Gateway) {
	t.Helper()
	m, g := New(), functionstest.NewWith(t, storetest.SQLite(t), vars)
	m.Watch(g.Parts, func() server.Status {
		return server.Status{Connections: 3, Refused: 2, CertificateExpires: time.Unix(1_800_000_000, 0)}
	})
	g.Passwords.Wait = m.Wait
	settings := g.Settings()
	settings.Observe = m.Request
	g.Handle(endpoint.New(settings, g.Routes()...))
	return m, g
}

// scrape fails the test if the metrics lack one of the lines.
func (m *Metrics) scrape(t *testing.T, lines ...string) {
	t.Helper()
	text := m.text(t, "")
	for _, want := range lines {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
}

// text returns all metrics in the format that accept asks for.
func (m *Metrics) text(t *testing.T, accept string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	m.Handler().ServeHTTP(rec, r)
	return rec.Body.String()
}

// TestMetrics_CountRequests: logins and refreshes count by their outcome, refusals by
// their limit, audit events by name, and errors by their code. All series exist before
// the first event.
func TestMetrics_CountRequests(t *testing.T) {
	t.Parallel()
	m, g := watched(t, map[string]string{"REFRESH_RATE_LIMIT_PER_MINUTE": "2"})
	m.scrape(t, `gateway_logins_total{outcome="succeeded",step="password"} 0`, `gateway_refreshes_total{outcome="token_reused"} 0`,
		`gateway_rate_limit_refusals_total{policy="login"} 0`, `gateway_http_problems_total{code="busy"} 0`)
	_, p := g.Person()
	g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": "wrong"}).Want(401, "")
	g.Do("POST", "/api/auth/login", "no JSON").Want(400, "malformed_json")
	g.Do("POST", "/api/auth/2fa/verify-login", map[string]string{"user_id": "x", "code": "123456"}).Want(401, "challenge_expired")
	for _, status := range []int{200, 200, 429} {
		g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": p.Refresh}).Want(status, "")
	}
	m.Request(t.Context(), endpoint.Event{Key: endpoint.KeyAccepted})
	m.scrape(t,
		`gateway_logins_total{outcome="succeeded",step="password"} 1`, `gateway_logins_total{outcome="incorrect_credentials",step="password"} 1`,
		`gateway_logins_total{outcome="other",step="password"} 1`, `gateway_logins_total{outcome="challenge_expired",step="second_factor"} 1`,
		`gateway_refreshes_total{outcome="succeeded"} 2`, `gateway_refreshes_total{outcome="rate_limited"} 1`,
		`gateway_rate_limit_refusals_total{policy="refresh"} 1`, `gateway_http_problems_total{code="incorrect_credentials"} 1`,
		`gateway_http_problems_total{code="rate_limited"} 1`, `gateway_http_request_duration_seconds_count{method="POST",route="POST /api/auth/login",status="401"} 1`,
		`gateway_api_key_requests_total{outcome="accepted"} 1`, `gateway_api_key_requests_total{outcome="api_key_expired"} 0`,
		`gateway_audit_events_total{event="account_registered"} 1`, `gateway_audit_events_total{event="logged_in"} 1`,
		`gateway_audit_events_total{event="login_failed"} 1`, `gateway_audit_events_total{event="second_factor_code_refused"} 0`,
		`gateway_password_breach_checks_total{outcome="unavailable"} 0`, `gateway_password_hash_wait_seconds_count 3`,
		`gateway_password_hashes{state="waiting"} 0`, `gateway_rate_limit_store_up 1`,
		`gateway_connections 3`, `gateway_connections_refused_total 2`, `gateway_certificate_expiry_timestamp_seconds 1.8e+09`,
	)
}

// TestMetrics_RoutesExist: a route that signs people in and has another name would count
// nothing.
func TestMetrics_RoutesExist(t *testing.T) {
	t.Parallel()
	var served []string
	for _, r := range new(functions.Parts).Routes() {
		served = append(served, r.Pattern)
	}
	for route := range New().logins {
		if !slices.Contains(served, route) {
			t.Errorf("%s is no route", route)
		}
	}
}

// TestMetrics_FollowConventions: names, units, types and texts are those that promtool
// check metrics wants, and clients that accept OpenMetrics get that, with traces as
// exemplars.
func TestMetrics_FollowConventions(t *testing.T) {
	t.Parallel()
	m, g := watched(t, nil)
	g.Person()
	if err := m.sample(t.Context(), Sources{DB: g.DB}, g.Now()); err != nil {
		t.Fatal(err)
	}
	traced := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	m.Request(traced, endpoint.Event{Method: "GET", Route: "GET /health", Status: 200})
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "gateway_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	text := m.text(t, "application/openmetrics-text; version=1.0.0")
	for _, want := range []string{"# EOF\n", `# {trace_id="01000000000000000000000000000000"}`, "# TYPE gateway_logins counter\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("OpenMetrics lacks %q", want)
		}
	}
}

// TestMetrics_StrangersCreateNoSeries sends methods, paths and bodies that nobody expects.
func TestMetrics_StrangersCreateNoSeries(t *testing.T) {
	t.Parallel()
	m, g := watched(t, nil)
	try := func(names ...string) int {
		for _, name := range names {
			g.Do(name, "/nothing/"+name, nil)
			g.Do("POST", "/api/auth/login", map[string]string{"email": name, "password": name})
			g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": name})
		}
		return strings.Count(m.text(t, ""), "\n")
	}
	before := try("A", "B")
	if after := try("C", "PATCH", "PUT", "DELETE"); after != before {
		t.Errorf("%d lines became %d", before, after)
	}
}

// TestMetrics_CountCallsOfNextcloud has a Nextcloud that fails in each way.
func TestMetrics_CountCallsOfNextcloud(t *testing.T) {
	t.Parallel()
	m := New()
	for path, answer := range map[string]any{
		"/cloud/ocs/v2.php/cloud/users": http.StatusOK, "/ocs/v2.php/x": http.StatusUnauthorized, "/remote.php/dav/files/ada/ocs/x": http.StatusBadGateway,
		"/remote.php/dav/files/ada": errors.New("no route to host"), "/remote.php/dav/files/bob": context.Canceled,
	} {
		c := http.Client{Transport: m.Nextcloud(roundTripper(func() (*http.Response, error) {
			if status, ok := answer.(int); ok {
				return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
			}
			return nil, answer.(error)
		}))}
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://cloud"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := c.Do(req); err == nil {
			resp.Body.Close()
		}
	}
	for _, want := range []string{
		`api="ocs",outcome="ok"`, `api="ocs",outcome="refused"`, `api="webdav",outcome="failed"`,
		`api="webdav",outcome="unreachable"`, `api="webdav",outcome="canceled"`,
	} {
		m.scrape(t, "gateway_nextcloud_request_duration_seconds_count{"+want+"} 1")
	}
}

type roundTripper func() (*http.Response, error)

func (f roundTripper) RoundTrip(*http.Request) (*http.Response, error) { return f() }

// TestMetrics_ShowTheBacklog has a mail that waits, one that was sent, and an account that
// does not exist in Nextcloud.
func TestMetrics_ShowTheBacklog(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m, g := New(), functionstest.New(t, db)
		sample := func(now time.Time) {
			if err := m.sample(t.Context(), Sources{DB: db, Reconciler: g.Reconciler}, now); err != nil {
				t.Fatal(err)
			}
		}
		now := g.Now()
		sample(now)
		m.scrape(t, `gateway_mails{status="waiting"} 0`, `gateway_mails{status="dead"} 0`, `gateway_mails{status="sent"} 0`,
			`gateway_mail_oldest_waiting_seconds 0`)
		id, _ := g.Person()
		a, err := db.Account(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		write := func(at time.Time) {
			if err := db.Update(t.Context(), func(tx *store.Tx) error {
				_, err := new(mail.Outbox).Reset(t.Context(), tx, a, "hash", at)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		write(now)
		lease := uid.New()
		list, err := db.LeaseMails(t.Context(), lease, now, now.Add(time.Minute), 1)
		if err != nil || len(list) != 1 {
			t.Fatalf("leased %v, %v", list, err)
		}
		if err := db.SettleMail(t.Context(), list[0], lease, mail.Outcome{Result: mail.Sent}, now); err != nil {
			t.Fatal(err)
		}
		write(now.Add(time.Minute))
		sample(now.Add(2 * time.Minute))
		m.scrape(t, `gateway_nextcloud_accounts{status="pending"} 1`, `gateway_nextcloud_accounts{status="active"} 0`,
			`gateway_audit_head 0`, `gateway_audit_unchained_events 2`, `gateway_audit_oldest_unchained_seconds 120`)
		m.scrape(t, `gateway_mails{status="waiting"} 1`, `gateway_mails{status="dead"} 0`, `gateway_mails{status="sent"} 1`,
			`gateway_mail_oldest_waiting_seconds 60`, `gateway_nextcloud_oldest_waiting_seconds 120`)
	})
}
