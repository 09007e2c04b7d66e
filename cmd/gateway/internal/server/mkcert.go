package server

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"time"
)

// An authority signs certificates that this machine's browsers trust.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// readRoot returns the root that `mkcert -install` keeps in dir, or nil where
// there is none that can sign: no folder, a root without its key, as on machines
// that only trust it, files that this user may not read or that are damaged, or
// a root about to expire. What [flawOf] would refuse must not sign, or every look
// would make another certificate.
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
