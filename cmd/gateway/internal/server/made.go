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
	madeFile = "gateway.pem" // in TLSDir: the certificate, then its key

	// lifetime is within the 366 days that Mozilla's TLS profiles allow.
	lifetime = 365 * 24 * time.Hour
	// renewBefore leaves time to notice a renewal that fails.
	renewBefore = 30 * 24 * time.Hour
	// skew is how far behind a client's clock may be, on the day of the making.
	skew = time.Hour
)

// Names returns the host names and addresses that a certificate is made for.
func Names() (hosts []string, addrs []net.IP) {
	return []string{"localhost", "voiceassist.local", "*.voiceassist.local", "nextcloud.local"},
		[]net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}
}

// made is the certificate that this package makes and keeps.
type made struct {
	dir  string // where it is kept
	root string // mkcert's folder, or ""
	log  *slog.Logger
}

// load returns the certificate that is kept, or makes another where that one is
// missing, damaged or no longer right. It appears in its folder whole or not at
// all, and stands in one file with its key, so that a process that stops half
// way leaves no pair that does not match. Of two processes that make one at the
// same time, the later one's stays, and the other finds it at its next look.
func (m *made) load(now time.Time) (cert *tls.Certificate, from string, err error) {
	ca := readRoot(m.root, now)
	path := filepath.Join(m.dir, madeFile)
	cert, err = readPair(path)
	var flaw string
	switch {
	case err == nil:
		flaw = flawOf(cert.Leaf, ca, now)
	case errors.Is(err, fs.ErrNotExist):
		flaw = "there was none"
	default:
		flaw = err.Error() // which quotes nothing of the key
	}
	if flaw == "" {
		return cert, path, nil
	}
	if err := m.keep(path, ca, now); err != nil {
		return nil, "", fmt.Errorf("make a certificate in %s: %w", m.dir, err)
	}
	if cert, err = readPair(path); err != nil {
		return nil, "", fmt.Errorf("certificate just made in %s: %w", m.dir, err)
	}
	m.log.Info("certificate made", slog.String("because", flaw)) // who trusts the last one must trust this one now
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

// flawOf says why leaf can no longer serve, or "" where it can: it is for the
// names of today, not about to expire, signed by the root where there is one, and
// in the form of [issue]. What a root signed that is gone may still be trusted by
// browsers, which cannot be said of what would take its place, and stays in the
// form of older releases, too.
func flawOf(leaf *x509.Certificate, ca *authority, now time.Time) string {
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

// keep makes a certificate and puts it at path.
func (m *made) keep(path string, ca *authority, now time.Time) error {
	text, err := issue(ca, now)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(m.dir, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(m.dir, madeFile+".*") // with mode 0600
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
// certificate signs itself; it is no authority for that, or Firefox would refuse
// it as a server's. The identifiers of keys are what strict clients demand (RFC
// 5280 sections 4.2.1.1 and 4.2.1.2), Python among them.
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
		leaf.NotAfter = ca.cert.NotAfter // nobody trusts it for longer
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
