package server_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

func TestSecureHost(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, header, port, want string }{
		{"the port is replaced", "voiceassist.local:8000", "8443", "voiceassist.local:8443"},
		{"or added", "voiceassist.local", "8443", "voiceassist.local:8443"},
		{"or left out where it is that of https", "voiceassist.local:80", "443", "voiceassist.local"},
		{"IPv4", "127.0.0.1:8000", "8443", "127.0.0.1:8443"},
		{"IPv6", "[::1]:8000", "8443", "[::1]:8443"},
		{"IPv6 without ports", "[::1]", "443", "[::1]"},
		{"a root dot", "a.example.", "443", "a.example."},
		{"nothing", "", "443", ""},
		{"a port only", ":80", "443", ""},
		{"a port that is none", "a.example:port", "443", ""},
		{"a user", "ada@a.example", "443", ""},
		{"a path", "a.example/b", "443", ""},
		{"another URL", "a.example#@evil.example", "443", ""},
		{"a header", "a.example\r\nSet-Cookie: a=b", "443", ""},
		{"an empty label", "a..example", "443", ""},
		{"a zone", "[fe80::1%25eth0]", "443", ""},
		{"IPv6 without brackets", "::1", "8443", "[::1]:8443"},
	}
	for _, tt := range tests {
		got, err := server.SecureHost(tt.header, tt.port)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: SecureHost(%q, %s) = %q, %v; want %q", tt.name, tt.header, tt.port, got, err, tt.want)
		}
	}
}

func TestRun_LogsFailedHandshakesForDebuggingOnly(t *testing.T) {
	t.Parallel()
	s := start(t, http.NotFoundHandler())
	d := tls.Dialer{Config: &tls.Config{ServerName: "localhost"}} // does not trust the certificate
	conn, err := d.DialContext(t.Context(), "tcp", s.addrs.HTTPS.String())
	if err == nil {
		conn.Close()
		t.Fatal("the handshake went well")
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Fatal(err)
	}
	var levels []any
	for _, record := range s.log.records(t) {
		if record["msg"] == "http server" {
			levels = append(levels, record["level"])
		}
	}
	if diff := cmp.Diff([]any{"DEBUG"}, levels); diff != "" {
		t.Errorf("the levels differ (-want +got):\n%s\n%s", diff, s.log)
	}
}

func TestRun_WithoutMetricsOpensNoListener(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, http.NotFoundHandler())
	s.Metrics = nil
	s.Ready = func(a server.Addresses) {
		if a.Metrics != nil {
			t.Errorf("it listens on %v", a.Metrics)
		}
		cancel()
	}
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}
