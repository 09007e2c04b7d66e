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

// reloadInterval is the shortest time between two reads of the files: short enough
// after a renewal, and cheap compared with the handshakes of a minute.
const reloadInterval = time.Minute

// A certReloader serves the current certificate and follows its files.
type certReloader struct {
	load func(now time.Time) (cert *tls.Certificate, from string, err error)
	now  func() time.Time
	log  *slog.Logger

	current atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // held while the files are read
	checked time.Time
}

// get returns the certificate for a handshake. One handshake a minute reads the
// files; the others do not wait for it.
func (r *certReloader) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if r.mu.TryLock() {
		defer r.mu.Unlock()
		if r.now().Sub(r.checked) >= reloadInterval {
			if err := r.refresh(hello.Context()); err != nil {
				r.log.LogAttrs(hello.Context(), slog.LevelWarn, "certificate kept",
					slog.String("cause", err.Error()))
			}
		}
	}
	return r.current.Load(), nil
}

// refresh reads the files. The caller holds mu or is the only one.
func (r *certReloader) refresh(ctx context.Context) error {
	now := r.now()
	r.checked = now
	cert, from, err := r.load(now)
	if err != nil {
		return err
	}
	old := r.current.Swap(cert)
	if old != nil && bytes.Equal(old.Certificate[0], cert.Certificate[0]) {
		return nil
	}
	level := slog.LevelInfo
	if now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter) {
		level = slog.LevelWarn // clients will reject it; only its owner can fix that
	}
	r.log.LogAttrs(ctx, level, "certificate", slog.String("from", from),
		slog.Any("names", cert.Leaf.DNSNames), slog.String("issuer", cert.Leaf.Issuer.CommonName),
		slog.Time("not_before", cert.Leaf.NotBefore), slog.Time("not_after", cert.Leaf.NotAfter))
	return nil
}

// certFiles reads the certificate of the operator. It is not safe for concurrent
// use.
type certFiles struct {
	cert, key string // files

	last            *tls.Certificate
	certPEM, keyPEM []byte // of last
}

// load reads the files, and parses them if they changed. It returns an error if
// they do not match, as they may while somebody replaces them one by one.
func (f *certFiles) load(time.Time) (cert *tls.Certificate, from string, err error) {
	certPEM, err := readFile(variableCert, f.cert)
	if err != nil {
		return nil, "", err
	}
	keyPEM, err := readFile(variableKey, f.key)
	if err != nil {
		return nil, "", err
	}
	if f.last != nil && bytes.Equal(certPEM, f.certPEM) && bytes.Equal(keyPEM, f.keyPEM) {
		return f.last, f.cert, nil
	}
	pair, err := tls.X509KeyPair(pemtext.Plain(certPEM), pemtext.Plain(keyPEM)) // its errors do not quote the key
	if err != nil {
		if _, wrong := pemtext.PrivateKey(keyPEM); wrong != nil {
			err = wrong // more specific
		}
		return nil, "", fmt.Errorf("%s %q and %s %q: %w", variableCert, f.cert, variableKey, f.key, err)
	}
	f.last, f.certPEM, f.keyPEM = &pair, certPEM, keyPEM
	return f.last, f.cert, nil
}

func readFile(variable, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	return text, nil
}

// CheckFiles records in env what is wrong with SSL_CERT_FILE and SSL_KEY_FILE.
// [TLS] would reject them.
func (s Settings) CheckFiles(env *config.Env) {
	if s.CertFile == "" {
		return
	}
	_, certErr := readFile(variableCert, s.CertFile)
	_, keyErr := readFile(variableKey, s.KeyFile)
	if certErr != nil {
		env.AddMistake(certErr, variableCert)
	}
	if keyErr != nil {
		env.AddMistake(keyErr, variableKey)
	}
	if certErr != nil || keyErr != nil {
		return
	}
	if _, _, err := (&certFiles{cert: s.CertFile, key: s.KeyFile}).load(time.Now()); err != nil {
		env.AddMistake(err, variableCert)
	}
}
