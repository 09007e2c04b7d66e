package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/store"
)

// backlogMetrics show the mails in the outbox, and how long accounts wait for Nextcloud.
// They are of the whole database, so all processes that share it report the same.
type backlogMetrics struct {
	mails         *prometheus.GaugeVec
	oldest        prometheus.Gauge // mail
	oldestAccount prometheus.Gauge
}

func newBacklogMetrics(to prometheus.Registerer) backlogMetrics {
	m := backlogMetrics{
		mails: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gateway_mails", Help: "Mails in the outbox, by status; sent ones of the last day.",
		}, []string{"status"}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_mail_oldest_waiting_seconds", Help: "How long the oldest waiting mail has waited; 0 if none waits.",
		}),
		oldestAccount: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_nextcloud_oldest_waiting_seconds",
			Help: "How long the oldest account that is to exist in Nextcloud has waited for that; 0 if none waits.",
		}),
	}
	to.MustRegister(m.mails, m.oldest, m.oldestAccount)
	return m
}

// loop counts once a minute, until ctx ends. A scrape reads no database:
// its cost would depend on who scrapes, and how often.
func (m backlogMetrics) loop(ctx context.Context, db *store.DB) {
	background.Loop{Failed: "mails and accounts that wait cannot be counted", Interval: time.Minute}.Run(ctx, func(ctx context.Context) error {
		return m.sample(ctx, db, time.Now())
	})
}

// sample sets the metrics to what waits now.
func (m backlogMetrics) sample(ctx context.Context, db *store.DB, now time.Time) error {
	b, err := db.MailBacklog(ctx)
	if err != nil {
		return err
	}
	for status, n := range map[string]int{"waiting": b.Waiting, "dead": b.Dead, "sent": b.Sent} {
		m.mails.WithLabelValues(status).Set(float64(n))
	}
	since, err := db.OldestUnprovisioned(ctx)
	if err != nil {
		return err
	}
	m.oldest.Set(age(b.Oldest, now))
	m.oldestAccount.Set(age(since, now))
	return nil
}

// age returns the seconds since then, or 0 for nil or the future: clocks differ.
func age(since *time.Time, now time.Time) float64 {
	if since == nil {
		return 0
	}
	return max(0, now.Sub(*since)).Seconds()
}
