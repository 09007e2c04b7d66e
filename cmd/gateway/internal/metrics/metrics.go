// Package metrics counts what the server does, for Prometheus. Names follow OpenMetrics:
// units are part of names, and counters end in _total. docs/operations.md lists all
// metrics; deploy/observability has the rules and the dashboard that use them.
//
// Begin with [New] and [Metrics.Watch]. Labels have few values: those that come from a
// client, such as methods, are limited to known ones, or a client could create any number
// of time series.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/version"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/breach"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// Metrics are the metrics of the server. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests   *prometheus.HistogramVec
	problems   *prometheus.CounterVec
	statements prometheus.Histogram
	events     *prometheus.CounterVec
	breaches   *prometheus.CounterVec
	keys       *prometheus.CounterVec
	logins     logins
	waits      prometheus.Histogram
	refusals   *prometheus.CounterVec
	calls      *prometheus.HistogramVec
	backlog    backlog
}

// New returns metrics that nothing reports to yet.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests = m.histograms("gateway_http_request_duration_seconds",
		"How long requests took, by the route's pattern, the method and the status.",
		// From a token check to a login with bcrypt to the timeout of requests.
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 25}, "route", "method", "status")
	m.problems = counters(m, "gateway_http_problems_total", "Error responses, by their code.", "code",
		password.ErrBusy.Code, ratelimit.ErrLimited.Code)
	m.statements = m.histogram("gateway_store_statement_duration_seconds",
		"How long statements of the store took, with the wait for a connection.",
		[]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2.5})
	m.events = counters(m, "gateway_audit_events_total", "Audit events of this process, by name.", "event", audit.Names()...)
	m.breaches = counters(m, "gateway_password_breach_checks_total", "Checks of new passwords by PWNED_PASSWORDS_URL, by outcome.",
		"outcome", breach.Unknown, breach.Known, breach.Unavailable)
	m.keys = counters(m, "gateway_api_key_requests_total", "Requests with an API key, by outcome: accepted, or the code of the error.",
		"outcome", endpoint.KeyAccepted, apikey.ErrInvalid.Code, apikey.ErrExpired.Code, apikey.ErrScope.Code, apikey.ErrNotAccepted.Code)
	m.logins = newLogins(m)
	m.waits = m.histogram("gateway_password_hash_wait_seconds", "How long password hashes waited for a processor.",
		[]float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 5, 10})
	m.refusals = counters(m, "gateway_rate_limit_refusals_total", "Requests over a rate limit, by its policy.", "policy", ratelimit.Policies()...)
	m.calls = m.histograms("gateway_nextcloud_request_duration_seconds",
		"How long Nextcloud took to begin a response, by API and outcome.",
		// Nextcloud delays logins by up to 25 s.
		[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "api", "outcome")
	m.gauge("gateway_build_info", "The version of the gateway, as a label; always 1.", prometheus.Labels{"version": version.String()},
		func() float64 { return 1 })
	m.backlog = newBacklog(m)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

// counters returns counters that begin with the values of the label, so that a rate sees
// the first event, too.
func counters[V ~string](m *Metrics, name, help, label string, values ...V) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	m.registry.MustRegister(c)
	for _, v := range values {
		c.WithLabelValues(string(v))
	}
	return c
}

// gauge registers a gauge with the value of fn at each scrape.
func (m *Metrics) gauge(name, help string, labels prometheus.Labels, fn func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, fn))
}

// Watch makes the parts and the server report to m. Call it once, before the first
// request.
func (m *Metrics) Watch(p *functions.Parts, status func() server.Status) {
	p.DB.Observe(func(took time.Duration) { m.statements.Observe(took.Seconds()) })
	p.DB.ObserveEvents(func(e audit.Event) { m.events.WithLabelValues(string(e.Name)).Inc() })
	if p.Passwords.Breaches != nil {
		p.Passwords.Breaches.Observe = func(o breach.Outcome) { m.breaches.WithLabelValues(string(o)).Inc() }
	}
	p.Limits.ObserveRefusals(func(policy ratelimit.Policy) { m.refusals.WithLabelValues(string(policy)).Inc() })
	m.registry.MustRegister(collectors.NewDBStatsCollector(p.DB.Handle(), p.DB.Engine()))
	hashes := func(state string, n func() int) {
		m.gauge("gateway_password_hashes", "Password hashes that run, or wait for a processor.",
			prometheus.Labels{"state": state}, func() float64 { return float64(n()) })
	}
	hashes("running", func() int { running, _ := p.Passwords.Load(); return running })
	hashes("waiting", func() int { _, waiting := p.Passwords.Load(); return waiting })
	m.gauge("gateway_rate_limit_store_up", "Whether rate limits are counted where the settings say; 0: each process counts for itself.",
		nil, func() float64 { return number(!p.Limits.Alone()) })
	m.gauge("gateway_connections", "Open connections, over HTTPS and plain HTTP.", nil,
		func() float64 { return float64(status().Connections) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "gateway_connections_refused_total", Help: "Connections that were closed because too many were open.",
	}, func() float64 { return float64(status().Refused) }))
	m.gauge("gateway_certificate_expiry_timestamp_seconds", "When the certificate for HTTPS expires; 0 before the server runs.", nil,
		func() float64 { return timestamp(status().CertificateExpires) })
}

// Wait observes the wait of a password hash, as [password.Hasher.Wait] does.
func (m *Metrics) Wait(context.Context) (end func(error)) {
	began := time.Now()
	return func(err error) {
		if err == nil {
			m.waits.Observe(time.Since(began).Seconds())
		}
	}
}

// Request counts one response. Requests that match no route share one method label. A
// sampled trace becomes the exemplar of its request.
func (m *Metrics) Request(ctx context.Context, e endpoint.Event) {
	method := e.Method
	if e.Route == "" {
		method = "other"
	}
	took := m.requests.WithLabelValues(e.Route, method, strconv.Itoa(e.Status))
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		took.(prometheus.ExemplarObserver).ObserveWithExemplar(e.Took.Seconds(), prometheus.Labels{"trace_id": span.TraceID().String()})
	} else {
		took.Observe(e.Took.Seconds())
	}
	if e.Code != "" {
		m.problems.WithLabelValues(e.Code).Inc()
	}
	if e.Key != "" {
		m.keys.WithLabelValues(e.Key).Inc()
	}
	m.logins.count(e)
}

// Handler returns the handler of GET /metrics, in the format of Prometheus or, for clients
// that accept it, in that of OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return mux
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// timestamp returns the seconds of Unix time, or 0 for the zero time.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
