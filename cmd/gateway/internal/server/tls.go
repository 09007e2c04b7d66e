package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"
)

// TLS returns the configuration of the HTTPS listener: TLS 1.2 or later with what
// Mozilla's "intermediate" profile allows, and a certificate that follows its
// files while the server runs. net/http adds HTTP/2.
//
// The certificate is that of SSL_CERT_FILE and SSL_KEY_FILE. Where they are not
// set it is one made for [Names], signed by mkcert's root where this machine has
// one, else by itself, and kept in TLSDir; it is made anew before it expires and
// when names, root or the form of certificates change. An error names the variable
// or the folder; once the configuration is made, errors are logged and the last
// good certificate serves.
func TLS(s Settings, now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	k := &keeper{load: (&made{dir: s.TLSDir, root: s.CARoot, log: log}).load, now: now, log: log}
	if s.CertFile != "" {
		k.load = (&given{cert: s.CertFile, key: s.KeyFile}).load
	}
	if s.TrustFile != "" {
		log.Info(VariableCert+" is set without "+VariableKey+": taken for the authorities that this machine trusts",
			slog.String("file", s.TrustFile))
	}
	if err := k.refresh(context.Background()); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: suites(), CurvePreferences: exchanges(), GetCertificate: k.get,
	}, nil
}

// suites returns those of TLS 1.2: ephemeral keys and authenticated encryption.
// crypto/tls orders them, and has no choice of those of TLS 1.3, which are all good.
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// exchanges returns the key exchanges. The first needs TLS 1.3, and protects what
// is recorded today from the quantum computers of later.
func exchanges() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
}
