package server_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

func TestRun_ServesHTTP2AndHTTP1OverTLS(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	}))
	for _, http2 := range []bool{true, false} {
		want := "HTTP/1.1"
		if http2 {
			want = "HTTP/2.0"
		}
		resp, body := s.get(t, s.client(http2), "https://"+s.addrs.HTTPS.String()+"/")
		if resp.Proto != want || body != want {
			t.Errorf("the client sees %s, the handler %s, want %s", resp.Proto, body, want)
		}
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Run = %v after a clean stop, want nil", err)
	}
}

func TestRun_RedirectsPlainHTTPToHTTPS(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "served "+r.URL.Path)
	}))
	plain := "http://" + s.addrs.HTTP.String()
	_, port, _ := net.SplitHostPort(s.addrs.HTTPS.String())
	tests := []struct{ name, method, path, host, want string }{
		{"path and query are kept", "GET", "/api/files/a%2Fb%20c/?q=%26&r", "", "308 https://127.0.0.1:" + port + "/api/files/a%2Fb%20c/?q=%26&r"},
		{"the method is, by the status", "POST", "/api/auth/login", "", "308 https://127.0.0.1:" + port + "/api/auth/login"},
		{"the host is", "GET", "/", "voiceassist.local:8000", "308 https://voiceassist.local:" + port + "/"},
		{"a host that is none", "GET", "/", "evil.example$x", "400 application/problem+json"},
		{"health is answered", "GET", "/health", "", "200 served /health"},
		{"even to a strange host", "GET", "/health", "_", "200 served /health"},
		{"what is like health is not", "GET", "/health/", "", "308 https://127.0.0.1:" + port + "/health/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tt.method, plain+tt.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tt.host
			resp, body := s.do(t, s.client(false), req)
			got := resp.Status[:3] + " "
			switch resp.StatusCode {
			case http.StatusOK:
				got += body
			case http.StatusBadRequest:
				got += resp.Header.Get("Content-Type")
			default:
				got += resp.Header.Get("Location")
				if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Correlation-ID") == "" {
					t.Errorf("the headers are %v; want a correlation id, and nothing kept", resp.Header)
				}
			}
			if got != tt.want {
				t.Errorf("%s %s to %q = %s, want %s", tt.method, tt.path, tt.host, got, tt.want)
			}
		})
	}
}

func TestRun_ServesMetricsAtASeparateAddress(t *testing.T) {
	t.Parallel()
	s := start(t, http.NotFoundHandler())
	_, body := s.get(t, s.client(false), "http://"+s.addrs.Metrics.String()+"/metrics")
	if body != "metrics" {
		t.Errorf("body = %q", body)
	}
	resp, _ := s.get(t, s.client(false), "https://"+s.addrs.HTTPS.String()+"/metrics")
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("over HTTPS the metrics are answered with %s", resp.Status)
	}
}

func TestRun_NamesTheVariableOfAnAddressInUse(t *testing.T) {
	t.Parallel()
	listens, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listens.Close()
	used, free := listens.Addr().String(), porttest.Address(t)
	for variable, change := range map[string]func(*server.Settings, string){
		"HTTP_ADDR":    func(s *server.Settings, addr string) { s.HTTPAddr = addr },
		"HTTPS_ADDR":   func(s *server.Settings, addr string) { s.HTTPSAddr = addr },
		"METRICS_ADDR": func(s *server.Settings, addr string) { s.MetricsAddr = addr },
	} {
		s := newServer(t, http.NotFoundHandler())
		s.HTTPAddr = free
		change(&s.Settings, used)
		s.Ready = func(server.Addresses) { t.Errorf("with %s in use it is ready", variable) }
		want := variable + ": listen tcp " + used + ": bind: address already in use: stop the process that listens there, perhaps another gateway, or set " +
			variable + " to another address"
		if err := s.Run(t.Context()); err == nil || err.Error() != want {
			t.Errorf("Run = %v, want %s", err, want)
		}
		l, err := net.Listen("tcp", free)
		if err != nil {
			t.Fatalf("with %s in use, HTTP_ADDR is still listened on: %v", variable, err)
		}
		l.Close()
	}
}

func TestRun_FailsOnAnInvalidCertificate(t *testing.T) {
	t.Parallel()
	s := newServer(t, http.NotFoundHandler())
	s.CertFile, s.KeyFile = filepath.Join(t.TempDir(), "c"), "k"
	if err := s.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "SSL_CERT_FILE: ") {
		t.Errorf("Run = %v, want an error that names SSL_CERT_FILE", err)
	}
}

// A running is a running server, and what its clients need.
type running struct {
	addrs server.Addresses
	roots *x509.CertPool
	log   *syncBuffer
	stop  context.CancelFunc
	done  chan error // what Run returns
}

// newServer returns a server that will listen on free ports.
func newServer(t *testing.T, h http.Handler) *server.Server {
	t.Helper()
	return &server.Server{
		Settings: server.Settings{
			HTTPAddr: "127.0.0.1:0", HTTPSAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0",
			TLSDir: filepath.Join(t.TempDir(), "tls"), Connections: 1000, ConnectionsPerClient: 1000,
		},
		Endpoint: endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now},
		Handler:  h,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "metrics")
		}),
	}
}

// start runs a server with h until the test ends. The options change it first.
func start(t *testing.T, h http.Handler, options ...func(*server.Server)) *running {
	t.Helper()
	s := newServer(t, h)
	for _, option := range options {
		option(s)
	}
	r := &running{roots: x509.NewCertPool(), log: &syncBuffer{}, done: make(chan error, 1)}
	s.Endpoint.Log = slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ready := make(chan server.Addresses, 1)
	s.Ready = func(a server.Addresses) { ready <- a }
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case r.addrs = <-ready:
	case err := <-r.done:
		t.Fatalf("Run = %v before it was ready", err)
	}
	file := cmp.Or(s.CertFile, filepath.Join(s.TLSDir, "gateway.pem"))
	cert, err := tls.LoadX509KeyPair(file, cmp.Or(s.KeyFile, file))
	if err != nil {
		t.Fatal(err)
	}
	r.roots.AddCert(cert.Leaf)
	return r
}

// client returns a new client that trusts the server and follows no redirects.
func (r *running) client(http2 bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: r.roots}, Protocols: &protocols, DisableKeepAlives: !http2,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r *running) get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r.do(t, c, req)
}

func (*running) do(t *testing.T, c *http.Client, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// A syncBuffer is a buffer that server and test share.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// records returns the records of the log.
func (s *syncBuffer) records(t *testing.T) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(s.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		all = append(all, record)
	}
	return all
}
