package probe_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
	"github.com/voiceassist/gateway/shared/foundation/porttest"
	"github.com/voiceassist/gateway/shared/nextcloud"
)

func TestQdrant(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		ready, healthy int
		want           string
	}{
		{"all shards are ready", 200, 500, ""},
		{"a recovering server is alive but not ready", 503, 200, "answered with status 503"},
		{"an old server without readyz", 404, 200, ""},
		{"an unhealthy old server", 404, 500, "answered with status 500"},
		{"another server", 404, 404, "answered with status 404"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			mux.HandleFunc("GET /q/readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.ready) })
			mux.HandleFunc("GET /q/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.healthy) })
			got := text(probe.Qdrant(serve(t, mux).JoinPath("q"))(t.Context()))
			if got != tt.want {
				t.Errorf("Qdrant = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNextcloud(t *testing.T) {
	t.Parallel()
	const fine = `{"installed":true,"maintenance":false,"needsDbUpgrade":false,"version":"29.0.4.1"`
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"ready", 200, fine + `}`, ""},
		{"in maintenance", 200, `{"installed":true,"maintenance":true,"needsDbUpgrade":false}`, "in maintenance mode"},
		{"in maintenance, with status 503", 503, `{"installed":true,"maintenance":true}`, "in maintenance mode"},
		{"before the upgrade", 200, `{"installed":true,"maintenance":false,"needsDbUpgrade":true}`, "waiting for the upgrade of its database"},
		{"before the installation", 200, `{"installed":false}`, "not installed yet"},
		{"an untrusted host name", 400, `{"error":"Trusted domain error.","code":15}`, "the host name it is called by is not in its trusted_domains"},
		{"a redirect is not followed", 302, ``, "answered with status 302"},
		{"an error page", 500, `<html>secret trace</html>`, "answered with status 500"},
		{"another server", 200, `<html>hello</html>`, "the answer is not that of a Nextcloud"},
		{"another JSON document", 200, `{"status":"ok"}`, "the answer is not that of a Nextcloud"},
		{"an endless answer", 200, fine + `,"x":"` + strings.Repeat("x", 1<<17) + `"}`, "the answer is not that of a Nextcloud"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/cloud/status.php" {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}))
			got := text(probe.Nextcloud(base.JoinPath("cloud"), nextcloud.HTTPClient(nil, probe.Timeout))(t.Context()))
			if got != tt.want {
				t.Errorf("Nextcloud = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNextcloud_ChecksTheCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"installed":true}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshakes
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	otherName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	tests := []struct {
		name, url string
		roots     *x509.CertPool
		want      string
	}{
		{"signed by the given authority", server.URL, roots, ""},
		{"signed by an unknown authority", server.URL, x509.NewCertPool(), "its certificate is signed by an authority that is not trusted"},
		{"for another name", otherName, roots, "its certificate is for another host name"},
	}
	for _, tt := range tests {
		if got := text(probe.Nextcloud(parse(t, tt.url), nextcloud.HTTPClient(tt.roots, probe.Timeout))(t.Context())); got != tt.want {
			t.Errorf("%s: Nextcloud = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestProbe_ErrorsOmitAddressesAndCredentials(t *testing.T) {
	t.Parallel()
	base := parse(t, "http://ada:hunter2@"+porttest.Address(t))
	err := probe.Qdrant(base)(t.Context())
	if want := "connection refused"; text(err) != want {
		t.Errorf("Qdrant = %q, want %q", text(err), want)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the cause of %#v is missing", err)
	}
	err = probe.Qdrant(parse(t, "http://no-such-host.invalid"))(t.Context())
	if got := text(err); strings.Contains(got, "no-such-host") || got == "" {
		t.Errorf("Qdrant = %q, want a text without the host name", got)
	}
}

func TestProbe_TimesOut(t *testing.T) {
	t.Parallel()
	silent := parse(t, "http://"+listen(t).Addr().String()) // the kernel accepts; nothing answers
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, p := range map[string]probe.Probe{
		"qdrant": probe.Qdrant(silent), "nextcloud": probe.Nextcloud(silent, nextcloud.HTTPClient(nil, probe.Timeout)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, want := text(p(canceled)), "canceled"; got != want {
				t.Errorf("with a canceled context: got %q, want %q", got, want)
			}
			start := time.Now()
			if got, want := text(p(t.Context())), "no answer in time"; got != want {
				t.Errorf("on a silent server: got %q, want %q", got, want)
			}
			if took := time.Since(start); took < probe.Timeout {
				t.Errorf("timed out after %v, want at least %v", took, probe.Timeout)
			}
		})
	}
}

func serve(t *testing.T, h http.Handler) *url.URL {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return parse(t, server.URL)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
