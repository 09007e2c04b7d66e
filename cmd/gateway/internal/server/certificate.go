package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/pemtext"
)

// recheck is how often files are looked at, at most: often enough for who has
// just renewed a certificate, and nothing beside the handshakes of a minute.
const recheck = time.Minute

// A keeper holds the certificate that serves.
type keeper struct {
	load func(now time.Time) (cert *tls.Certificate, from string, err error)
	now  func() time.Time
	log  *slog.Logger

	current atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held by the one that looks at the files
	checked time.Time
}

// get returns the certificate for a handshake. One handshake a minute looks at
// the files; the others do not wait for it.
func (k *keeper) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if k.mu.TryLock() {
		defer k.mu.Unlock()
		if k.now().Sub(k.checked) >= recheck {
			if err := k.refresh(hello.Context()); err != nil {
				k.log.LogAttrs(hello.Context(), slog.LevelWarn, "certificate kept",
					slog.String("cause", err.Error()))
			}
		}
	}
	return k.current.Load(), nil
}

// refresh looks at the files. The caller holds mu, or is alone.
func (k *keeper) refresh(ctx context.Context) error {
	now := k.now()
	k.checked = now
	cert, from, err := k.load(now)
	if err != nil {
		return err
	}
	old := k.current.Swap(cert)
	if old != nil && bytes.Equal(old.Certificate[0], cert.Certificate[0]) {
		return nil
	}
	level := slog.LevelInfo
	if now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter) {
		level = slog.LevelWarn // clients will refuse it, which only its owner can mend
	}
	k.log.LogAttrs(ctx, level, "certificate", slog.String("from", from),
		slog.Any("names", cert.Leaf.DNSNames), slog.String("issuer", cert.Leaf.Issuer.CommonName),
		slog.Time("not_before", cert.Leaf.NotBefore), slog.Time("not_after", cert.Leaf.NotAfter))
	return nil
}

// given is the certificate of the operator. It is for one goroutine at a time.
type given struct {
	cert, key string // files

	last            *tls.Certificate
	certPEM, keyPEM []byte // of last
}

// load reads the files, and parses them if they changed. While they are being
// replaced one by one they may not match, which is an error like any other.
func (g *given) load(time.Time) (cert *tls.Certificate, from string, err error) {
	certPEM, err := readFile(VariableCert, g.cert)
	if err != nil {
		return nil, "", err
	}
	keyPEM, err := readFile(VariableKey, g.key)
	if err != nil {
		return nil, "", err
	}
	if g.last != nil && bytes.Equal(certPEM, g.certPEM) && bytes.Equal(keyPEM, g.keyPEM) {
		return g.last, g.cert, nil
	}
	pair, err := tls.X509KeyPair(pemtext.Plain(certPEM), pemtext.Plain(keyPEM)) // its errors quote nothing of the key
	if err != nil {
		if _, wrong := pemtext.PrivateKey(keyPEM); wrong != nil {
			err = wrong // which tells more
		}
		return nil, "", fmt.Errorf("%s %q and %s %q: %w", VariableCert, g.cert, VariableKey, g.key, err)
	}
	g.last, g.certPEM, g.keyPEM = &pair, certPEM, keyPEM
	return g.last, g.cert, nil
}

func readFile(variable, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return text, nil
}

// CheckFiles records in env what is wrong with the files of SSL_CERT_FILE and
// SSL_KEY_FILE, which [TLS] refuses.
func (s Settings) CheckFiles(env *config.Env) {
	if s.CertFile == "" {
		return
	}
	_, certErr := readFile(VariableCert, s.CertFile)
	_, keyErr := readFile(VariableKey, s.KeyFile)
	if certErr != nil {
		env.Doubt(certErr, VariableCert)
	}
	if keyErr != nil {
		env.Doubt(keyErr, VariableKey)
	}
	if certErr != nil || keyErr != nil {
		return
	}
	if _, _, err := (&given{cert: s.CertFile, key: s.KeyFile}).load(time.Now()); err != nil {
		env.Doubt(err, VariableCert)
	}
}
