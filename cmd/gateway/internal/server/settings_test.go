package server_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

func TestRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  map[string]string
		want server.Settings
	}{
		{
			"nothing set listens on both ports, without metrics", nil,
			server.Settings{HTTPAddr: ":8000", HTTPSAddr: ":8443", TLSDir: ".data/tls", Connections: 4096, ConnectionsPerClient: 256},
		},
		{
			"everything set",
			map[string]string{
				"HTTP_ADDR": "127.0.0.1:80", "HTTPS_ADDR": "[::1]:443", "METRICS_ADDR": ":0",
				"SSL_CERT_FILE": "c.pem", "SSL_KEY_FILE": "k.pem", "DATA_DIR": "/data", "CAROOT": "/ca",
				"MAX_CONNECTIONS": "9", "MAX_CONNECTIONS_PER_CLIENT": "3",
			},
			server.Settings{
				HTTPAddr: "127.0.0.1:80", HTTPSAddr: "[::1]:443", MetricsAddr: ":0",
				CertFile: "c.pem", KeyFile: "k.pem", TLSDir: "/data/tls", CARoot: "/ca", Connections: 9, ConnectionsPerClient: 3,
			},
		},
		{
			"SSL_CERT_FILE alone is what the machine trusts", map[string]string{"SSL_CERT_FILE": "ca.pem"},
			server.Settings{HTTPAddr: ":8000", HTTPSAddr: ":8443", TLSDir: ".data/tls", TrustFile: "ca.pem", Connections: 4096, ConnectionsPerClient: 256},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := config.Map(tt.env)
			if diff := cmp.Diff(tt.want, *setting.Of[server.Settings](env)); diff != "" || env.Err() != nil {
				t.Errorf("Read differs (-want +got), error %v:\n%s", env.Err(), diff)
			}
		})
	}
}

func TestRead_ReportsOneLinePerVariable(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, variable, value, want string }{
		{"a port alone", "HTTP_ADDR", "8000", `HTTP_ADDR is "8000"; it must be an address`},
		{"a port by name", "HTTPS_ADDR", ":https", `HTTPS_ADDR is ":https"; it must be an address`},
		{"a port past the last", "METRICS_ADDR", ":65536", `METRICS_ADDR is ":65536"; it must be an address`},
		{"a key without its certificate", "SSL_KEY_FILE", "k.pem", "SSL_CERT_FILE is not set; it must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := config.Map(map[string]string{tt.variable: tt.value})
			setting.Of[server.Settings](env)
			err := env.Err()
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Err() = %v, want one line that begins with %s", err, tt.want)
			}
		})
	}
}

func TestCARoot_MatchesMkcert(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, goos string
		env        map[string]string
		want       string
	}{
		{"Linux", "linux", map[string]string{"HOME": "/home/ada"}, "/home/ada/.local/share/mkcert"},
		{"macOS", "darwin", map[string]string{"HOME": "/Users/ada"}, "/Users/ada/Library/Application Support/mkcert"},
		{"XDG", "linux", map[string]string{"HOME": "/home/ada", "XDG_DATA_HOME": "/x"}, "/x/mkcert"},
		{"CAROOT wins", "linux", map[string]string{"HOME": "/home/ada", "CAROOT": "/ca"}, "/ca"},
		{"Windows", "windows", map[string]string{"HOME": "/c", "LocalAppData": "/local"}, "/local/mkcert"},
		{"nowhere", "linux", nil, ""},
	}
	for _, tt := range tests {
		if got := server.CARoot(config.Map(tt.env), tt.goos); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
