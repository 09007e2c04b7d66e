package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/breach"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestMetrics_CountEvents: each committed audit event counts under its name, and each
// check of a new password under its outcome. All series exist before the first event.
func TestMetrics_CountEvents(t *testing.T) {
	t.Parallel()
	m, db := newMetrics(), storetest.SQLite(t)
	db.ObserveEvents(m.event)
	g := functionstest.New(t, db)
	g.Person()
	g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": "wrong"}).Want(401, "")
	m.breach(breach.Known)
	rec := httptest.NewRecorder()
	m.handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{
		`gateway_audit_events_total{event="account_registered"} 1`, `gateway_audit_events_total{event="logged_in"} 1`,
		`gateway_audit_events_total{event="login_failed"} 1`, `gateway_audit_events_total{event="second_factor_code_refused"} 0`,
		`gateway_password_breach_checks_total{outcome="breached"} 1`, `gateway_password_breach_checks_total{outcome="unavailable"} 0`,
	} {
		if !strings.Contains(rec.Body.String(), want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
}
