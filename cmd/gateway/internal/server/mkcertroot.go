package server

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"time"
)

// An authority signs certificates that the browsers of this machine trust.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// readRoot returns the root that `mkcert -install` stores in dir, or nil if there
// is none that can sign: the folder or the key is missing, as on machines that only
// trust the root, the files are unreadable or damaged, or the root expires soon. A
// root whose certificates have a [defect] must not sign, or each load would issue
// another certificate.
func readRoot(dir string, now time.Time) *authority {
	if dir == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "rootCA.pem"), filepath.Join(dir, "rootCA-key.pem"))
	if err != nil {
		return nil
	}
	root := pair.Leaf
	key, ok := pair.PrivateKey.(crypto.Signer)
	signs := root.IsCA && root.KeyUsage&x509.KeyUsageCertSign != 0
	if !ok || !signs || now.Before(root.NotBefore) || !now.Add(renewBefore).Before(root.NotAfter) {
		return nil
	}
	return &authority{cert: root, key: key}
}
