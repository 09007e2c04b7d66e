package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/breach"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// scrape fails the test if the metrics lack one of the lines.
func (m *metrics) scrape(t *testing.T, lines ...string) {
	t.Helper()
	rec := httptest.NewRecorder()
	m.handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range lines {
		if !strings.Contains(rec.Body.String(), want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
}

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
	m.observe(endpoint.Event{Key: endpoint.KeyAccepted})
	m.scrape(t,
		`gateway_api_key_requests_total{outcome="accepted"} 1`, `gateway_api_key_requests_total{outcome="api_key_expired"} 0`,
		`gateway_audit_events_total{event="account_registered"} 1`, `gateway_audit_events_total{event="logged_in"} 1`,
		`gateway_audit_events_total{event="login_failed"} 1`, `gateway_audit_events_total{event="second_factor_code_refused"} 0`,
		`gateway_password_breach_checks_total{outcome="breached"} 1`, `gateway_password_breach_checks_total{outcome="unavailable"} 0`,
	)
}

// TestMetrics_ShowTheBacklog has a mail that waits, one that was sent, and an account that
// does not exist in Nextcloud.
func TestMetrics_ShowTheBacklog(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		m, g := newMetrics(), functionstest.New(t, db)
		sample := func(now time.Time) {
			if err := m.backlog.sample(t.Context(), db, now); err != nil {
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
		m.scrape(t, `gateway_mails{status="waiting"} 1`, `gateway_mails{status="dead"} 0`, `gateway_mails{status="sent"} 1`,
			`gateway_mail_oldest_waiting_seconds 60`, `gateway_nextcloud_oldest_waiting_seconds 120`)
	})
}
