package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// rsaBits is the size of new RSA keys: 128 bits of security (NIST SP 800-57
// part 1, table 2).
const rsaBits = 3072

// GenerateKey returns a new private key for EdDSA, ES256 or RS256.
func GenerateKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256":
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("%q has no private keys", algorithm)
}

// EncodePrivate returns the key in PEM (PKCS #8, RFC 5208).
func EncodePrivate(key crypto.Signer) (secret.String, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return secret.String(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}

// EncodePublic returns the key in PEM (RFC 7468 section 13).
func EncodePublic(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

// ParsePrivate parses a private key in PEM, see [pemtext.PrivateKey].
func ParsePrivate(text secret.String) (crypto.Signer, error) {
	return pemtext.PrivateKey([]byte(text.Reveal()))
}
