package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

// authority returns the certificate of a new authority in PEM, and a certificate that it
// issued for localhost.
func authority(t *testing.T) (ca string, server tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "RDS"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter, DNSNames: []string{"localhost"}}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})),
		tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
}

// tlsServer accepts connections as PostgreSQL does, up to TLS, and reports for each
// whether the client continued after it saw the certificate.
func tlsServer(t *testing.T, cert tls.Certificate) (port string, trusted <-chan bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	accepted := make(chan bool, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(conn, make([]byte, 8))
			conn.Write([]byte("S"))
			accepted <- tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake() == nil
			conn.Close()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, accepted
}

func TestRead_TrustsDATABASE_CA(t *testing.T) {
	t.Parallel()
	ca, server := authority(t)
	other, _ := authority(t)
	for _, tt := range []struct {
		name, ca, mode, host string
		want                 bool
	}{
		{"its authority", ca, "verify-full", "localhost", true},
		{"its authority among others, on one line", strings.ReplaceAll(other+ca, "\n", `\n`), "verify-full", "localhost", true},
		{"another authority", other, "verify-full", "localhost", false},
		{"the system's roots", "", "verify-full", "localhost", false},
		{"its authority, for another host", ca, "verify-full", "127.0.0.1", false},
		{"its authority, host not checked", ca, "verify-ca", "127.0.0.1", true},
		{"another authority, host not checked", other, "verify-ca", "127.0.0.1", false},
		{"certificate not checked", other, "require", "localhost", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			port, trusted := tlsServer(t, server)
			env := config.Map(map[string]string{
				"DATABASE_URL": "postgres://ada:secret@" + tt.host + ":" + port + "/gateway?sslmode=" + tt.mode, "DATABASE_CA": tt.ca,
			})
			var settings postgres.Settings
			if err := env.Load(&settings); err != nil {
				t.Fatal(err)
			}
			db := settings.Open()
			defer db.Close()
			if _, err := db.Accounts(t.Context(), store.Page{Limit: 1}); err == nil {
				t.Fatal("query succeeded on a server that answers nothing")
			}
			if got := <-trusted; got != tt.want {
				t.Errorf("server trusted = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestRead_RejectsAnInvalidAuthority(t *testing.T) {
	t.Parallel()
	const key = "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA\\n-----END PUBLIC KEY-----\\n"
	for text, found := range map[string]string{"/etc/rds.pem": "no PEM block", key: "no certificate, only PUBLIC KEY"} {
		env := config.Map(map[string]string{"DATABASE_URL": "postgres://h/db", "DATABASE_CA": text})
		setting.Of[postgres.Settings](env)
		want := "DATABASE_CA cannot be read (" + found + "); it must be the certificates of the database's certificate authority, in PEM"
		if err := env.Err(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
