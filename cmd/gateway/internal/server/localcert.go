package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	localCertFile = "gateway.pem" // in TLSDir; the certificate, then its key

	// lifetime is below the 366 days that Mozilla's TLS profiles allow.
	lifetime = 365 * 24 * time.Hour
	// renewBefore leaves time to notice a renewal that fails.
	renewBefore = 30 * 24 * time.Hour
	// skew backdates a certificate for clients whose clocks are slow.
	skew = time.Hour
)

// Names returns the host names and addresses of the local certificate.
func Names() (hosts []string, addrs []net.IP) {
	return []string{"localhost", "voiceassist.local", "*.voiceassist.local", "nextcloud.local"},
		[]net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}
}

// A localCert issues a certificate for this machine and stores it.
type localCert struct {
	dir  string // the folder that stores it
	root string // mkcert's folder, or "" for none
	log  *slog.Logger
}

// load returns the stored certificate, or issues another if that one is missing,
// damaged or has a [defect]. Certificate and key are in one file that is replaced
// atomically, so a process that stops half way leaves no pair that does not match.
// Of two processes that issue one at the same time, the later one wins, and the
// other reads it the next time.
func (c *localCert) load(now time.Time) (cert *tls.Certificate, from string, err error) {
	ca := readRoot(c.root, now)
	path := filepath.Join(c.dir, localCertFile)
	cert, err = readPair(path)
	var reason string
	switch {
	case err == nil:
		reason = defect(cert.Leaf, ca, now)
	case errors.Is(err, fs.ErrNotExist):
		reason = "there was none"
	default:
		reason = err.Error() // does not quote the key
	}
	if reason == "" {
		return cert, path, nil
	}
	if err := c.write(path, ca, now); err != nil {
		return nil, "", fmt.Errorf("make a certificate in %s: %w", c.dir, err)
	}
	if cert, err = readPair(path); err != nil {
		return nil, "", fmt.Errorf("certificate just made in %s: %w", c.dir, err)
	}
	c.log.Info("certificate made", slog.String("because", reason)) // clients that pinned the old one must trust the new one
	return cert, path, nil
}

// readPair reads a file that holds a certificate and its key.
func readPair(path string) (*tls.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// defect returns why leaf must be replaced, or "". A good certificate has the
// current names, does not expire soon, is signed by the root if there is one, and
// has the form of [issue]. If its root is gone, it stays in use even in the form of
// older releases: browsers may still trust it, but not a replacement.
func defect(leaf *x509.Certificate, ca *authority, now time.Time) string {
	hosts, addrs := Names()
	signer := leaf
	if ca != nil {
		signer = ca.cert
	}
	switch {
	case !slices.Equal(leaf.DNSNames, hosts) || !slices.EqualFunc(leaf.IPAddresses, addrs, net.IP.Equal):
		return "it has other names"
	case now.Before(leaf.NotBefore):
		return "it is not valid yet"
	case !now.Add(renewBefore).Before(leaf.NotAfter):
		return "it expires soon"
	case ca != nil && leaf.CheckSignatureFrom(ca.cert) != nil:
		return "it is not signed by mkcert's root"
	case ca == nil && !bytes.Equal(leaf.RawIssuer, leaf.RawSubject):
		return ""
	case leaf.NotAfter.Sub(leaf.NotBefore) > lifetime:
		return "it lasts too long"
	case len(leaf.SubjectKeyId) == 0 || !bytes.Equal(leaf.AuthorityKeyId, signer.SubjectKeyId):
		return "it has no key identifiers"
	}
	return ""
}

// write issues a certificate and stores it at path.
func (c *localCert) write(path string, ca *authority, now time.Time) error {
	text, err := issue(ca, now)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(c.dir, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(c.dir, localCertFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(text)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), path)
}

// issue returns a new certificate and its key in PEM. Without an authority the
// certificate is self-signed, but not a CA: Firefox rejects a CA as a server
// certificate. Strict clients such as Python require the key identifiers (RFC 5280
// sections 4.2.1.1 and 4.2.1.2).
func issue(ca *authority, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	digest := sha256.Sum256(point)
	id := digest[:20] // RFC 7093 section 2, method 1
	hosts, addrs := Names()
	leaf := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"VoiceAssist gateway"}, CommonName: "voiceassist.local"},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(-skew + lifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          id,
		DNSNames:              hosts,
		IPAddresses:           addrs,
	}
	if ca == nil {
		leaf.AuthorityKeyId = id
		ca = &authority{cert: leaf, key: key}
	} else if ca.cert.NotAfter.Before(leaf.NotAfter) {
		leaf.NotAfter = ca.cert.NotAfter // clients do not trust it longer
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...), nil
}
