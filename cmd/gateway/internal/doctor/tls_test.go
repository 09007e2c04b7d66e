package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-10 * 365 * day), NotAfter: time.Now().Add(10 * 365 * day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	return authority{signed(t, template, template, key, key), key}
}

const day = 24 * time.Hour

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, c, by *x509.Certificate, of, with *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by, of.Public(), with)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// issue makes a certificate for this machine, changed as wished.
func (a authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * day),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(c)
	}
	key := newKey(t)
	return tls.Certificate{Certificate: [][]byte{signed(t, c, a.cert, key, a.key).Raw}, PrivateKey: key}
}

// overTLS returns a Nextcloud with that certificate; the settings trust ours.
func overTLS(t *testing.T, c *tls.Config, ours authority) *fixture {
	t.Helper()
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword, Dir: t.TempDir()})
	s := httptest.NewUnstartedServer(cloud)
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	f := &fixture{cloud, settingsFor(t, s.URL)}
	f.settings.Roots = ours.pool()
	return f
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ours, other := newAuthority(t, "Our Authority"), newAuthority(t, "Some Other Authority")
	elsewhere := func(c *x509.Certificate) {
		c.IPAddresses, c.DNSNames = nil, []string{"a.example.org", "b.example.org"}
	}
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-90*day), time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
		c.NotBefore = c.NotAfter.Add(-90 * day)
	}
	for _, c := range []struct {
		name  string
		cert  tls.Certificate
		level doctor.Level
		words []string
	}{
		{"all is well", ours.issue(t, nil), doctor.OK, []string{"valid until"}},
		{"it expires soon", ours.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(13 * day) }),
			doctor.Warning, []string{"expires on", "Renew"}},
		{"an unknown authority", other.issue(t, nil), doctor.Failed,
			[]string{"not trusted: CN=Some Other Authority", "NEXTCLOUD_CA_FILE"}},
		{"another name", ours.issue(t, elsewhere), doctor.Failed,
			[]string{"is for a.example.org, b.example.org, not for 127.0.0.1", "NEXTCLOUD_URL"}},
		{"expired", ours.issue(t, expired), doctor.Failed, []string{"expired on 2020-01-02", "Renew"}},
		{"not valid yet", ours.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(day) }),
			doctor.Failed, []string{"not valid before", "clock"}},
		{"not for servers", ours.issue(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), doctor.Failed, []string{"was rejected", "usage"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := overTLS(t, &tls.Config{Certificates: []tls.Certificate{c.cert}}, ours)
			r := f.examine(t)
			if c.level == doctor.OK {
				r.without(t, doctor.Warning)
				r.without(t, doctor.Failed)
				r.want(t, c.level, "tls", c.words...)
				return
			}
			r.only(t, c.level, "tls", c.words...)
			if c.level == doctor.Failed && len(f.cloud.Calls()) != 0 {
				t.Errorf("calls were made: %v", f.cloud.Calls())
			}
		})
	}
}

func TestTLS_ReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	other := newAuthority(t, "Other\nLine").issue(t, func(c *x509.Certificate) {
		c.IPAddresses, c.NotAfter = nil, time.Now().Add(-time.Minute)
	})
	f := overTLS(t, &tls.Config{Certificates: []tls.Certificate{other}}, newAuthority(t, "ours"))
	r := f.examine(t)
	r.want(t, doctor.Failed, "tls", "expired")
	r.want(t, doctor.Failed, "tls", "is for no name")
	r.want(t, doctor.Failed, "tls", "not trusted: CN=Other?Line", "NEXTCLOUD_CA_FILE")
}

func TestTLS_WithoutCAFileUsesTheSystemRoots(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	f := overTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.issue(t, nil)}}, ours)
	f.settings.Roots = nil
	f.examine(t).only(t, doctor.Failed, "tls", "not trusted", "Set NEXTCLOUD_CA_FILE")
}

// TestTLS_OneOfSeveralServers meets a good certificate first and then a bad one,
// as behind a balancer.
func TestTLS_OneOfSeveralServers(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	good, bad := ours.issue(t, nil), newAuthority(t, "theirs").issue(t, nil)
	var first atomic.Bool
	overTLS(t, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if first.CompareAndSwap(false, true) {
			return &tls.Config{Certificates: []tls.Certificate{good}}, nil
		}
		return &tls.Config{Certificates: []tls.Certificate{bad}}, nil
	}}, ours).examine(t).only(t, doctor.Failed, "http", "not trusted: CN=theirs", "NEXTCLOUD_CA_FILE")
}

func TestTLS_NoHandshake(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	old := &tls.Config{Certificates: []tls.Certificate{ours.issue(t, nil)}, MaxVersion: tls.VersionTLS11}
	overTLS(t, old, ours).examine(t).only(t, doctor.Failed, "tls", "rejected the TLS handshake", "TLS 1.2")

	plain := newFixture(t)
	plain.settings.URL.Scheme = "https"
	plain.examine(t).only(t, doctor.Failed, "tls", "does not speak TLS", "http")

	both := overTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.issue(t, nil)}}, ours)
	both.settings.URL.Scheme = "http"
	both.examine(t).only(t, doctor.Failed, "http", "requires TLS", "https")
}
