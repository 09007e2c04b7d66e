package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/version"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/breach"
)

// metrics are the metrics of the server, for GET /metrics on METRICS_ADDR.
type metrics struct {
	registry   *prometheus.Registry
	duration   *prometheus.HistogramVec
	statements prometheus.Histogram
	events     *prometheus.CounterVec
	breaches   *prometheus.CounterVec
	keys       *prometheus.CounterVec
	backlog    backlogMetrics
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_http_request_duration_seconds",
			Help: "How long requests took, by the route's pattern, the method and the status.",
			// From a token check to a login with bcrypt to the timeout of requests.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 25},
		}, []string{"route", "method", "status"}),
		statements: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "gateway_store_statement_duration_seconds",
			Help:    "How long statements of the store took, with the wait for a connection.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2.5},
		}),
	}
	m.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_audit_events_total", Help: "Audit events of this process, by name.",
	}, []string{"event"})
	for _, name := range audit.Names() { // so that a rate sees the first event, too
		m.events.WithLabelValues(string(name))
	}
	m.breaches = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_password_breach_checks_total", Help: "Checks of new passwords by PWNED_PASSWORDS_URL, by outcome.",
	}, []string{"outcome"})
	for _, outcome := range []breach.Outcome{breach.Unknown, breach.Known, breach.Unavailable} {
		m.breaches.WithLabelValues(string(outcome))
	}
	m.keys = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_api_key_requests_total", Help: "Requests with an API key, by outcome: accepted, or the code of the error.",
	}, []string{"outcome"})
	for _, outcome := range []string{
		endpoint.KeyAccepted, apikey.ErrInvalid.Code, apikey.ErrExpired.Code, apikey.ErrScope.Code, apikey.ErrNotAccepted.Code,
	} {
		m.keys.WithLabelValues(outcome)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gateway_build_info", Help: "The version of the gateway, as a label; always 1.",
		ConstLabels: prometheus.Labels{"version": version.String()},
	})
	build.Set(1)
	m.backlog = newBacklogMetrics(m.registry)
	m.registry.MustRegister(m.duration, m.statements, m.events, m.breaches, m.keys, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe counts one response. Requests that match no route share one method label;
// otherwise, a client could create any number of series.
func (m *metrics) observe(e endpoint.Event) {
	method := e.Method
	if e.Route == "" {
		method = "other"
	}
	m.duration.WithLabelValues(e.Route, method, strconv.Itoa(e.Status)).Observe(e.Took.Seconds())
	if e.Key != "" {
		m.keys.WithLabelValues(e.Key).Inc()
	}
}

// statement counts one database statement.
func (m *metrics) statement(took time.Duration) { m.statements.Observe(took.Seconds()) }

// watch makes the parts report to m. Call it before the first statement.
func (m *metrics) watch(p *parts) {
	p.DB.Observe(m.statement)
	p.DB.ObserveEvents(m.event)
	if p.Passwords.Breaches != nil {
		p.Passwords.Breaches.Observe = m.breach
	}
	m.registry.MustRegister(collectors.NewDBStatsCollector(p.DB.Handle(), p.DB.Engine()))
	hashes := func(state string, n func() int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_password_hashes", Help: "Password hashes that run, or wait for a processor.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return float64(n()) }))
	}
	hashes("running", func() int { running, _ := p.Passwords.Load(); return running })
	hashes("waiting", func() int { _, waiting := p.Passwords.Load(); return waiting })
}

// event counts one audit event. Names are those of [audit.Names], so labels are bounded.
func (m *metrics) event(e audit.Event) { m.events.WithLabelValues(string(e.Name)).Inc() }

// breach counts one check of a new password.
func (m *metrics) breach(o breach.Outcome) { m.breaches.WithLabelValues(string(o)).Inc() }

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}
