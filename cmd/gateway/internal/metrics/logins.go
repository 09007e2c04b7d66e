package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

// The outcomes of a login or refresh besides codes of errors.
const (
	succeeded = "succeeded"
	other     = "other" // an error with another code, which gateway_http_problems_total names
)

// incorrectCredentials is the code of a login with a wrong password or an unknown address.
const incorrectCredentials = "incorrect_credentials"

// logins count the responses of the routes that sign people in, by route and outcome.
type logins map[string]map[string]prometheus.Counter

func newLogins(m *Metrics) logins {
	steps := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_logins_total",
		Help: "Logins by step and outcome. The password of an account with a second factor succeeds, and its code is another step.",
	}, []string{"step", "outcome"})
	refreshes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_refreshes_total", Help: "Refreshes of access tokens, by outcome.",
	}, []string{"outcome"})
	m.registry.MustRegister(steps, refreshes)
	return logins{
		"POST /api/auth/login": outcomes(steps.MustCurryWith(prometheus.Labels{"step": "password"}),
			incorrectCredentials, account.ErrUnverified.Code, password.ErrBusy.Code),
		"POST /api/auth/2fa/verify-login": outcomes(steps.MustCurryWith(prometheus.Labels{"step": "second_factor"}),
			mfa.ErrBadLoginCode.Code, mfa.ErrChallengeExpired.Code, mfa.ErrTooManyCodes.Code),
		"POST /api/auth/refresh": outcomes(refreshes, token.ErrMissing.Code, signin.ErrInvalidRefresh.Code,
			signin.ErrExpired.Code, signin.ErrReused.Code, signin.ErrRevoked.Code),
	}
}

// outcomes returns the counters of the codes, and of outcomes that every route has.
func outcomes(c *prometheus.CounterVec, codes ...string) map[string]prometheus.Counter {
	by := map[string]prometheus.Counter{}
	for _, outcome := range append(codes, succeeded, other, ratelimit.ErrLimited.Code, store.ErrUnavailable.Code) {
		by[outcome] = c.WithLabelValues(outcome)
	}
	return by
}

// count counts the response if its route signs people in.
func (s logins) count(e endpoint.Event) {
	by := s[e.Route]
	if by == nil {
		return
	}
	outcome := e.Code
	if outcome == "" {
		outcome = succeeded
	}
	c, known := by[outcome]
	if !known {
		c = by[other]
	}
	c.Inc()
}
