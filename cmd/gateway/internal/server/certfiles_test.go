package server_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

func TestTLS_ReloadsTheFilesOfTheOperator(t *testing.T) {
	t.Parallel()
	g := newOperator(t)
	ada, bob := selfSigned(t, "ada.example"), selfSigned(t, "bob.example")
	write(t, g.CertFile, ada.cert)
	write(t, g.KeyFile, ada.key)
	g.open(t)
	// In each step something happens, time passes, and a client connects.
	for _, step := range []struct {
		name string
		do   func()
		wait time.Duration
		want string
	}{
		{"nothing changed", func() {}, time.Hour, "ada.example"},
		{"half a pair is no pair", func() { write(t, g.CertFile, bob.cert) }, time.Minute, "ada.example"},
		{"a client in the same minute", func() { write(t, g.KeyFile, bob.key) }, 59 * time.Second, "ada.example"},
		{"a client after it", func() {}, time.Second, "bob.example"},
		{"a key alone", func() { write(t, g.KeyFile, ada.key) }, time.Minute, "bob.example"},
		{"a file that is gone", func() { remove(t, g.CertFile) }, time.Hour, "bob.example"},
	} {
		step.do()
		g.now = g.now.Add(step.wait)
		if got := g.leaf(t).Subject.CommonName; got != step.want {
			t.Errorf("%s: the certificate is that of %s, want %s", step.name, got, step.want)
		}
	}
	for _, want := range []string{"certificate kept", "private key does not match", "SSL_CERT_FILE: open"} {
		if !strings.Contains(g.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &g.log)
		}
	}
	if got := strings.Count(g.log.String(), "does not match"); got != 2 {
		t.Errorf("two pairs that do not match are logged %d times:\n%s", got, &g.log)
	}
}

func TestTLS_WarnsOfACertificateThatClientsReject(t *testing.T) {
	t.Parallel()
	g := newOperator(t)
	ada := selfSigned(t, "ada.example")
	write(t, g.CertFile, ada.cert)
	write(t, g.KeyFile, ada.key)
	g.now = g.now.Add(100 * 24 * time.Hour)
	g.open(t)
	if !strings.Contains(g.log.String(), "level=WARN msg=certificate ") {
		t.Errorf("the log has no warning:\n%s", &g.log)
	}
}

// TestTLS_AcceptsFilesAsToolsWriteThem uses one file for both settings, with a byte
// order mark, and with parameters before the key.
func TestTLS_AcceptsFilesAsToolsWriteThem(t *testing.T) {
	t.Parallel()
	g := newOperator(t)
	ada := selfSigned(t, "ada.example")
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	both := slices.Concat([]byte("\ufeff"), ada.cert, parameters, ada.key)
	write(t, g.CertFile, both)
	write(t, g.KeyFile, bytes.ReplaceAll(both, []byte("\n"), []byte("\r\n")))
	g.open(t)
	if got := g.leaf(t).DNSNames; !slices.Equal(got, []string{"ada.example"}) {
		t.Errorf("the certificate is for %v", got)
	}
}

func TestTLS_RejectsAnInvalidPairInOneLine(t *testing.T) {
	t.Parallel()
	ada, bob := selfSigned(t, "ada.example"), selfSigned(t, "bob.example")
	tests := []struct {
		name      string
		cert, key []byte
		want      string
	}{
		{"no certificate file", nil, ada.key, "SSL_CERT_FILE: open "},
		{"no key file", ada.cert, nil, "SSL_KEY_FILE: open "},
		{"another's key", ada.cert, bob.key, "private key does not match public key"},
		{"the files swapped", ada.key, ada.cert, "SSL_CERT_FILE"},
		{"an encrypted key", ada.cert, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), "is encrypted; openssl pkey"},
		{"a key file with a certificate", ada.cert, bob.cert, "no private key, only CERTIFICATE"},
		{"no PEM", []byte("hello"), ada.key, "failed to find any PEM data in certificate input"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newOperator(t)
			write(t, g.CertFile, tt.cert)
			write(t, g.KeyFile, tt.key)
			_, _, err := server.TLS(g.Settings, g.clock, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "SSL_") ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("TLS = %v, want one line with %s", err, tt.want)
			}
		})
	}
}

func TestTLS_OneHandshakeReadsTheFilesWhileOthersContinue(t *testing.T) {
	t.Parallel()
	f := newLocal(t)
	looking, looked := make(chan struct{}), make(chan struct{})
	asked := 0
	config, _, err := server.TLS(f.Settings, func() time.Time {
		if asked++; asked == 2 {
			close(looking)
			<-looked
		}
		return day
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() {
		_, err := config.GetCertificate(&tls.ClientHelloInfo{})
		first <- err
	}()
	<-looking
	if cert, err := config.GetCertificate(&tls.ClientHelloInfo{}); cert == nil || err != nil {
		t.Errorf("GetCertificate = %v, %v while another one looks", cert, err)
	}
	close(looked)
	if err := <-first; err != nil || asked != 2 {
		t.Errorf("the time was asked for %d times, want 2; %v", asked, err)
	}
}

// A fixture is a TLS configuration with its clock and log.
type fixture struct {
	server.Settings

	now    time.Time
	log    bytes.Buffer
	config *tls.Config
}

func newOperator(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	return &fixture{now: day, Settings: server.Settings{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
	}}
}

// day is the first day of every test of certificates.
var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (f *fixture) clock() time.Time { return f.now }

// open creates a new configuration, as a new process does.
func (f *fixture) open(t *testing.T) {
	t.Helper()
	config, _, err := server.TLS(f.Settings, f.clock, slog.New(slog.NewTextHandler(&f.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f.config = config
}

// leaf returns the certificate that a client receives.
func (f *fixture) leaf(t *testing.T) *x509.Certificate {
	t.Helper()
	cert, err := f.config.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf
}

// A pair is a certificate and its key in PEM.
type pair struct{ cert, key []byte }

// selfSigned returns a certificate for name that is valid for 90 days.
func selfSigned(t *testing.T, name string) pair {
	t.Helper()
	return sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: day, NotAfter: day.Add(90 * 24 * time.Hour),
	})
}

// root returns an authority in the form of mkcert, valid for the given time.
func root(t *testing.T, name string, good time.Duration) pair {
	t.Helper()
	return sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		NotBefore: day, NotAfter: day.Add(good),
	})
}

// sign returns the self-signed certificate of template, with a new key.
func sign(t *testing.T, template *x509.Certificate) pair {
	t.Helper()
	key := newKey(t)
	return signBy(t, template, key, template, key)
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signBy returns the certificate of template for key, signed by parent with signer.
func signBy(t *testing.T, parent *x509.Certificate, signer crypto.Signer, template *x509.Certificate, key crypto.Signer) pair {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

// write writes the file, unless text is nil.
func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if text == nil {
		return
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
