package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
)

// SampleInterval is how often [Metrics.Loop] reads the database.
const SampleInterval = time.Minute

// closed is the state of the circuit breaker in which Nextcloud is called.
const closed store.BlockReason = "closed"

// backlog are the metrics of the whole database, so all processes that share it report the
// same.
type backlog struct {
	sampled prometheus.Gauge

	mails      *prometheus.GaugeVec
	oldestMail prometheus.Gauge

	accounts      *prometheus.GaugeVec
	oldestAccount prometheus.Gauge
	breaker       *prometheus.GaugeVec

	auditHead, unchained, oldestEvent prometheus.Gauge

	keySince *prometheus.GaugeVec
}

func newBacklog(m *Metrics) backlog {
	one := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	some := func(name, help, label string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
		m.registry.MustRegister(g)
		return g
	}
	return backlog{
		sampled:    one("gateway_sample_timestamp_seconds", "When the metrics of the database were last read from it."),
		mails:      some("gateway_mails", "Mails in the outbox, by status; sent ones of the last day.", "status"),
		oldestMail: one("gateway_mail_oldest_waiting_seconds", "How long the oldest waiting mail has waited; 0 if none waits."),
		accounts:   some("gateway_nextcloud_accounts", "Accounts in Nextcloud, by status.", "status"),
		oldestAccount: one("gateway_nextcloud_oldest_waiting_seconds",
			"How long the oldest account that is to exist in Nextcloud has waited for that; 0 if none waits."),
		breaker: some("gateway_nextcloud_breaker",
			"State of the circuit breaker in front of Nextcloud: 1 for the present one. Nextcloud is called in the state closed.", "state"),
		auditHead:   one("gateway_audit_head", "The place of the latest event in the chain of the audit trail."),
		unchained:   one("gateway_audit_unchained_events", "Audit events that are not in the chain yet."),
		oldestEvent: one("gateway_audit_oldest_unchained_seconds", "How long the oldest of them has waited; 0 for none."),
		keySince: some("gateway_key_since_timestamp_seconds",
			"Since when the current keys sign, where that is known: from the key file, or from the time of a file that a setting names.", "key"),
	}
}

// Sources are what [Metrics.Loop] reads.
type Sources struct {
	DB         *store.DB
	Reconciler *reconcile.Reconciler                // nil without a Nextcloud
	Keys       func() (map[string]time.Time, error) // since when the current keys sign, by kind
}

// Loop reads the sources once a minute, until ctx ends. A scrape reads no database: its
// cost would depend on who scrapes, and how often.
func (m *Metrics) Loop(ctx context.Context, s Sources) {
	background.Loop{Failed: "the metrics of the database cannot be read", Interval: SampleInterval}.Run(ctx, func(ctx context.Context) error {
		return m.sample(ctx, s, time.Now())
	})
}

// sample sets the metrics to what the sources say now.
func (m *Metrics) sample(ctx context.Context, s Sources, now time.Time) error {
	for _, read := range []func(context.Context, Sources, time.Time) error{m.backlog.readMails, m.backlog.readNextcloud, m.backlog.readAudit, m.backlog.readKeys} {
		if err := read(ctx, s, now); err != nil {
			return err
		}
	}
	m.backlog.sampled.Set(timestamp(now))
	return nil
}

func (b backlog) readMails(ctx context.Context, s Sources, now time.Time) error {
	mails, err := s.DB.MailBacklog(ctx)
	if err != nil {
		return err
	}
	for status, n := range map[string]int{"waiting": mails.Waiting, "dead": mails.Dead, "sent": mails.Sent} {
		b.mails.WithLabelValues(status).Set(float64(n))
	}
	b.oldestMail.Set(age(mails.Oldest, now))
	return nil
}

func (b backlog) readNextcloud(ctx context.Context, s Sources, now time.Time) error {
	counts, err := s.DB.CountNextcloudAccounts(ctx)
	if err != nil {
		return err
	}
	for _, status := range desired.Statuses() {
		b.accounts.WithLabelValues(string(status)).Set(float64(counts[status]))
	}
	since, err := s.DB.OldestUnprovisioned(ctx)
	if err != nil {
		return err
	}
	b.oldestAccount.Set(age(since, now))
	if s.Reconciler == nil {
		return nil
	}
	block, err := s.Reconciler.Blocked(ctx)
	if err != nil {
		return err
	}
	if block.Reason == "" {
		block.Reason = closed
	}
	for _, state := range []store.BlockReason{closed, store.BlockedByOutage, store.BlockedByRefusal, store.BlockedByTrial} {
		b.breaker.WithLabelValues(string(state)).Set(number(state == block.Reason))
	}
	return nil
}

func (b backlog) readAudit(ctx context.Context, s Sources, now time.Time) error {
	head, err := s.DB.AuditHead(ctx)
	if err != nil {
		return err
	}
	n, oldest, err := s.DB.CountUnchained(ctx)
	if err != nil {
		return err
	}
	b.auditHead.Set(float64(head.Seq))
	b.unchained.Set(float64(n))
	b.oldestEvent.Set(age(oldest, now))
	return nil
}

func (b backlog) readKeys(_ context.Context, s Sources, _ time.Time) error {
	if s.Keys == nil {
		return nil
	}
	since, err := s.Keys()
	if err != nil {
		return err
	}
	b.keySince.Reset() // a kind of key may be gone
	for kind, at := range since {
		b.keySince.WithLabelValues(kind).Set(timestamp(at))
	}
	return nil
}

// age returns the seconds since then, or 0 for nil or the future: clocks differ.
func age(since *time.Time, now time.Time) float64 {
	if since == nil {
		return 0
	}
	return max(0, now.Sub(*since)).Seconds()
}
