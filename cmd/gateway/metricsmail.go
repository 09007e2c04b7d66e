package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/store"
)

// mailMetrics show what is in the outbox. They are of the whole database, so all processes
// that share it report the same.
type mailMetrics struct {
	mails  *prometheus.GaugeVec
	oldest prometheus.Gauge
}

func newMailMetrics(to prometheus.Registerer) mailMetrics {
	m := mailMetrics{
		mails: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gateway_mails", Help: "Mails in the outbox, by status; sent ones of the last day.",
		}, []string{"status"}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_mail_oldest_waiting_seconds", Help: "How long the oldest waiting mail has waited; 0 if none waits.",
		}),
	}
	to.MustRegister(m.mails, m.oldest)
	return m
}

// loop looks at the outbox once a minute, until ctx ends. A scrape reads no database:
// its cost would depend on who scrapes, and how often.
func (m mailMetrics) loop(ctx context.Context, db *store.DB) {
	background.Loop{Failed: "mails cannot be counted", Interval: time.Minute}.Run(ctx, func(ctx context.Context) error {
		return m.sample(ctx, db, time.Now())
	})
}

// sample sets the metrics to what is in the outbox.
func (m mailMetrics) sample(ctx context.Context, db *store.DB, now time.Time) error {
	b, err := db.MailBacklog(ctx)
	if err != nil {
		return err
	}
	for status, n := range map[string]int{"waiting": b.Waiting, "dead": b.Dead, "sent": b.Sent} {
		m.mails.WithLabelValues(status).Set(float64(n))
	}
	age := time.Duration(0)
	if b.Oldest != nil {
		age = max(0, now.Sub(*b.Oldest)) // clocks differ
	}
	m.oldest.Set(age.Seconds())
	return nil
}
