package test_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/ratelimit/redislimit/redistest"
)

// A fleet is several gateways on one PostgreSQL and one Redis, behind a balancer.
type fleet struct {
	*process // the balancer, as clients see it

	t   *testing.T
	env []string // of each gateway

	mu       sync.Mutex
	gateways []*process
	next     int
}

const fleetSize = 3

// newFleet starts the gateways with these settings, and the balancer.
func newFleet(t *testing.T, env ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, env: append([]string{
		"DATABASE_URL=" + database(t), "JWT_SECRET=" + keyring.Generate().Reveal(),
		"RATE_LIMIT_STORE=redis", "REDIS_URL=" + redistest.Start(t).URL().String(), "TRUSTED_PROXIES=127.0.0.1",
	}, env...)}
	for range fleetSize {
		f.gateways = append(f.gateways, f.launch())
	}
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	f.process = &process{https: server.URL, client: server.Client()}
	f.client.Timeout = answerTime
	return f
}

// launch starts one more gateway. It has a directory and a certificate of its own.
func (f *fleet) launch() *process {
	f.t.Helper()
	return start(f.t, f.t.TempDir(), nil, f.env...)
}

// replace has the balancer use another gateway.
func (f *fleet) replace(n int, by *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gateways[n] = by
}

// turn returns the gateways, beginning with the one whose turn it is.
func (f *fleet) turn() []*process {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = (f.next + 1) % len(f.gateways)
	return append(slices.Clone(f.gateways[f.next:]), f.gateways[:f.next]...)
}

// ServeHTTP forwards a request to the next gateway over verified TLS. It tries another one
// only if the connection was refused, since otherwise the request may have had its effect.
func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	turn := f.turn()
	var forward func(n int)
	forward = func(n int) {
		target, err := url.Parse(turn[n].https)
		if err != nil {
			f.t.Error(err)
			return
		}
		proxy := &httputil.ReverseProxy{
			Transport: turn[n].client.Transport,
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(target)
				p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"] // where a test says that it comes from
				p.SetXForwarded()
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" && n+1 < len(turn) {
					forward(n + 1)
					return
				}
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprint(w, `{"code":"outcome_unknown"}`)
			},
		}
		proxy.ServeHTTP(w, r)
	}
	forward(0)
}

// expectEverywhere expects every gateway to accept the token, or to reject it.
func (f *fleet) expectEverywhere(what, access string, accepted bool) {
	f.t.Helper()
	for n, g := range f.turn() {
		if got := call(g, "GET", "/api/users/me", access, "", nil); got != accepted {
			f.t.Errorf("%s: gateway %d accepts the token: %v, want %v", what, n, got, accepted)
		}
	}
}

// expectNoErrors expects no gateway to have logged an error.
func (f *fleet) expectNoErrors() {
	f.t.Helper()
	for n, g := range f.turn() {
		if strings.Contains(g.stdout.String(), `"level":"ERROR"`) {
			f.t.Errorf("the log of gateway %d has an error", n)
		}
	}
}
