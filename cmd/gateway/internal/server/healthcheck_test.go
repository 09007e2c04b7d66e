package server_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

// TestCheckHealth asks a server that listens on all addresses, one that listens on
// one, a sick one, and none.
func TestCheckHealth(t *testing.T) {
	t.Parallel()
	status := func(code int) (port string) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				code = http.StatusNotFound
			}
			w.WriteHeader(code)
		}))
		t.Cleanup(s.Close)
		_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	healthy, sick := status(http.StatusOK), status(http.StatusServiceUnavailable)
	for _, test := range []struct{ addr, want string }{
		{":" + healthy, ""},
		{"0.0.0.0:" + healthy, ""},
		{"[::]:" + healthy, ""},
		{"127.0.0.1:" + healthy, ""},
		{":" + sick, "healthcheck: the gateway responded with 503 Service Unavailable"},
		{"127.0.0.1:1", "connection refused"},
		{"8000", "HTTP_ADDR: "},
	} {
		err := server.Settings{HTTPAddr: test.addr}.CheckHealth(t.Context())
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.addr, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", test.addr, err, test.want)
		}
	}
}
