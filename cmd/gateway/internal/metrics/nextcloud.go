package metrics

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

// Nextcloud returns what sends requests to Nextcloud through next, and observes them.
func (m *Metrics) Nextcloud(next http.RoundTripper) http.RoundTripper {
	return &caller{RoundTripper: next, m: m}
}

type caller struct {
	http.RoundTripper

	m *Metrics
}

// RoundTrip sends the request and observes how long the response takes to begin.
func (c *caller) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := c.RoundTripper.RoundTrip(r)
	c.m.calls.WithLabelValues(nextcloud.API(r), outcome(resp, err)).Observe(time.Since(began).Seconds())
	return resp, err
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (c *caller) CloseIdleConnections() {
	if closer, ok := c.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// outcome returns the outcome of a request for its label.
func outcome(resp *http.Response, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled" // by the client of the gateway
	case err != nil:
		return "unreachable"
	case resp.StatusCode >= http.StatusInternalServerError:
		return "failed"
	case resp.StatusCode >= http.StatusBadRequest:
		return "refused"
	}
	return "ok"
}
