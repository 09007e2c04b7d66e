package test_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// restarted starts the gateway under load, ends it several times and starts it again on the
// same address. end returns when the process has ended.
func restarted(t *testing.T, given *answers, whole bool, allow allowance, end func(p *process), env ...string) {
	t.Helper()
	dir := t.TempDir()
	env = append(env, "HTTPS_ADDR="+porttest.Address(t), "JWT_SECRET="+keyring.Generate().Reveal())
	p := start(t, dir, nil, env...)
	clients := newCrowd(given, p, allow)
	times := 2
	if whole {
		times = 10
	}
	for range times {
		given.await(given.between)
		given.during(func() {
			end(p)
			hasNoError(t, p)
			p = start(t, dir, nil, env...)
		})
	}
	given.await(given.between)
	clients.leave()
	hasNoError(t, p)
}

// gatewayIsStopped ends the gateway with SIGTERM. Until the next one listens, connections
// are refused, but no connection ends before its response.
func gatewayIsStopped(t *testing.T, given *answers, whole bool) {
	t.Helper()
	restarted(t, given, whole, allowance{refused: true}, func(p *process) {
		if code := p.stop(t); code != 0 {
			given.isWrong("after SIGTERM the gateway exited with %d, want 0", code)
		}
	})
}

// gatewayIsKilled ends the gateway with SIGKILL, on the embedded database.
func gatewayIsKilled(t *testing.T, given *answers, whole bool) {
	t.Helper()
	restarted(t, given, whole, allowance{refused: true, cut: true}, (*process).kill)
}

// certificateIsReplaced writes a new certificate while clients open a connection for each
// request. It is served a minute later at most, and no connection fails.
func certificateIsReplaced(t *testing.T, given *answers, whole bool) {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls", "gateway.pem"), filepath.Join(dir, "tls", "gateway.key")
	if err := os.Mkdir(filepath.Dir(cert), 0o700); err != nil {
		t.Fatal(err)
	}
	root := newAuthority(t)
	root.issue(cert, key, 1)
	p := start(t, dir, nil, "SSL_CERT_FILE="+cert, "SSL_KEY_FILE="+key)
	var served atomic.Int64
	p.client = &http.Client{Timeout: answerTime, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			RootCAs: root.pool, MinVersion: tls.VersionTLS12,
			VerifyConnection: func(s tls.ConnectionState) error {
				served.Store(s.PeerCertificates[0].SerialNumber.Int64())
				return nil
			},
		},
	}}
	clients := newCrowd(given, p, allowance{})
	times := int64(1)
	if whole {
		times = 2
	}
	for n := range times {
		given.await(given.between)
		given.during(func() {
			root.issue(cert, key, n+2)
			late := time.After(2 * answerTime)
			for served.Load() != n+2 {
				select {
				case <-time.After(50 * time.Millisecond):
				case <-late:
					t.Fatalf("certificate %d is still served, want %d", served.Load(), n+2)
				}
			}
		})
	}
	given.await(given.between)
	clients.leave()
	hasNoError(t, p)
}

// An authority issues certificates for 127.0.0.1.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the test"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	a.key, a.cert = a.sign(a.cert)
	a.pool.AddCert(a.cert)
	return a
}

// sign returns a new key and the certificate for it, which the authority has signed, itself
// if it has no key yet.
func (a *authority) sign(template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

// issue writes a new certificate and its key, one file after the other, as clients of ACME
// do.
func (a *authority) issue(certFile, keyFile string, serial int64) {
	a.t.Helper()
	key, cert := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "127.0.0.1"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert.Raw}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}
