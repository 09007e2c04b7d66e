package server_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

// TestTLS_NegotiatesNothingWeak offers a server each version, suite and key exchange
// of crypto/tls alone, and checks what it accepts.
func TestTLS_NegotiatesNothingWeak(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p521Key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ofECDSA := []string{
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	}
	ofRSA := []string{
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	}
	for _, tt := range []struct {
		name   string
		key    crypto.Signer // nil for the local certificate
		suites []string
	}{
		{"its own certificate", nil, ofECDSA},
		{"an operator's with RSA", rsaKey, ofRSA},
		{"an operator's with P-521", p521Key, ofECDSA}, // for signatures only, not for key exchange
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, http.NotFoundHandler(), with(t, tt.key))
			versions := accepted(t, s, map[string]*tls.Config{
				"1.0": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
				"1.1": {MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11},
				"1.2": {MaxVersion: tls.VersionTLS12},
				"1.3": {MinVersion: tls.VersionTLS13},
			})
			if diff := cmp.Diff([]string{"1.2", "1.3"}, versions); diff != "" {
				t.Errorf("the versions differ (-want +got):\n%s", diff)
			}
			suites := map[string]*tls.Config{}
			for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
				if slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
					suites[suite.Name] = &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}
				}
			}
			if diff := cmp.Diff(tt.suites, accepted(t, s, suites)); diff != "" {
				t.Errorf("the suites of TLS 1.2 differ (-want +got):\n%s", diff)
			}
			classical := []string{"CurveP256", "CurveP384", "X25519"}
			for version, want := range map[uint16][]string{
				tls.VersionTLS12: classical,
				tls.VersionTLS13: append(classical, "X25519MLKEM768"),
			} {
				curves := map[string]*tls.Config{}
				for _, curve := range []tls.CurveID{
					tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024,
					tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521,
				} {
					curves[curve.String()] = &tls.Config{
						MinVersion: version, MaxVersion: version, CurvePreferences: []tls.CurveID{curve},
					}
				}
				if diff := cmp.Diff(want, accepted(t, s, curves)); diff != "" {
					t.Errorf("the key exchanges of %s differ (-want +got):\n%s", tls.VersionName(version), diff)
				}
			}
			best, err := shake(t, s, &tls.Config{})
			if err != nil || best.Version != tls.VersionTLS13 || best.CurveID != tls.X25519MLKEM768 {
				t.Errorf("a client that takes anything gets %s with %s, %v; want TLS 1.3 with X25519MLKEM768",
					tls.VersionName(best.Version), best.CurveID, err)
			}
		})
	}
}

// accepted returns the names of the configurations with which a client can
// connect, in order.
func accepted(t *testing.T, s *running, offers map[string]*tls.Config) []string {
	t.Helper()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(offers)) {
		if _, err := shake(t, s, offers[name]); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// shake connects to the server with config and verifies its certificate.
func shake(t *testing.T, s *running, config *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	config.RootCAs, config.ServerName = s.roots, "localhost"
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", s.addrs.HTTPS.String())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState(), nil
}

// with gives a server an operator's certificate for key, or none if key is nil.
func with(t *testing.T, key crypto.Signer) func(*server.Server) {
	t.Helper()
	if key == nil {
		return func(*server.Server) {}
	}
	hosts, addrs := server.Names()
	template := &x509.Certificate{
		DNSNames: hosts, IPAddresses: addrs,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	p := signBy(t, template, key, template, key)
	file := filepath.Join(t.TempDir(), "operator.pem")
	write(t, file, append(p.cert, p.key...))
	return func(s *server.Server) { s.CertFile, s.KeyFile = file, file }
}
