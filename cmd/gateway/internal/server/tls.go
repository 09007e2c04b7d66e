package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"
)

// TLS returns the configuration of the HTTPS listener: TLS 1.2 or later, limited to
// Mozilla's "intermediate" profile, with a certificate that follows its files while
// the server runs. net/http adds HTTP/2.
//
// The certificate is that of SSL_CERT_FILE and SSL_KEY_FILE. If they are not set,
// TLS issues one for [Names] and stores it in TLSDir. mkcert's root signs it if
// this machine has one; otherwise it is self-signed. It is replaced before it
// expires, and when names, root or the form of certificates change. An error names
// the variable or the folder. After TLS has returned, errors are logged and the
// last good certificate stays in use.
//
// expires returns when the certificate in use expires.
func TLS(s Settings, now func() time.Time, log *slog.Logger) (config *tls.Config, expires func() time.Time, err error) {
	r := &certReloader{load: (&localCert{dir: s.TLSDir, root: s.CARoot, log: log}).load, now: now, log: log}
	if s.CertFile != "" {
		r.load = (&certFiles{cert: s.CertFile, key: s.KeyFile}).load
	}
	if s.TrustFile != "" {
		log.Info(variableCert+" is set without "+variableKey+": taken for the authorities that this machine trusts",
			slog.String("file", s.TrustFile))
	}
	if err := r.refresh(context.Background()); err != nil {
		return nil, nil, err
	}
	config = &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: cipherSuites(), CurvePreferences: keyExchanges(), GetCertificate: r.get,
	}
	return config, func() time.Time { return r.current.Load().Leaf.NotAfter }, nil
}

// cipherSuites returns the suites of TLS 1.2 with ephemeral keys and authenticated
// encryption. crypto/tls orders them, and always allows all suites of TLS 1.3.
func cipherSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// keyExchanges returns the key exchanges. The first needs TLS 1.3 and protects
// traffic that is recorded today from future quantum computers.
func keyExchanges() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
}
