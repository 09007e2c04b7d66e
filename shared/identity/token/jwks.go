package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"time"
)

// A publicKey is a JSON Web Key (RFC 7517; RFC 8037 for Ed25519). The order of
// the fields is that of RFC 7638, which requires sorted members.
type publicKey struct {
	Curve    string `json:"crv,omitempty"`
	Exponent string `json:"e,omitempty"`
	Type     string `json:"kty"`
	Modulus  string `json:"n,omitempty"`
	X        string `json:"x,omitempty"`
	Y        string `json:"y,omitempty"`

	KeyID     string `json:"kid,omitempty"` // the thumbprint of the members above
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
}

// newPublicKey returns pub, which must fit the algorithm, as a JSON Web Key.
func newPublicKey(algorithm string, pub crypto.PublicKey) publicKey {
	b64 := base64.RawURLEncoding.EncodeToString
	var p publicKey
	switch key := pub.(type) {
	case ed25519.PublicKey:
		p = publicKey{Type: "OKP", Curve: "Ed25519", X: b64(key)}
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 0x04, X, Y (SEC 1 section 2.3.3)
		if err != nil {
			panic("token: describe: " + err.Error()) // a parsed P-256 key has its point
		}
		size := (len(point) - 1) / 2
		p = publicKey{Type: "EC", Curve: "P-256", X: b64(point[1 : 1+size]), Y: b64(point[1+size:])}
	case *rsa.PublicKey:
		p = publicKey{Type: "RSA", Modulus: b64(key.N.Bytes()), Exponent: b64(big.NewInt(int64(key.E)).Bytes())}
	}
	thumb := sha256.Sum256(encode(p)) // RFC 7638 section 3
	p.KeyID, p.Use, p.Algorithm = b64(thumb[:]), "sig", algorithm
	return p
}

// JWKSMaxAge is how long verifiers may cache the key set. A new key must be
// published for as long before it signs.
const JWKSMaxAge = time.Hour

// JWKS returns the key set to publish (RFC 7517 section 5): the public keys of
// an asymmetric algorithm, signing key first. It is empty for a symmetric
// algorithm.
func (k *Keys) JWKS() []byte {
	set := struct {
		Keys []publicKey `json:"keys"`
	}{Keys: k.set.Load().public}
	if set.Keys == nil {
		set.Keys = []publicKey{}
	}
	return encode(set)
}

// KeyID returns the thumbprint (RFC 7638) that names the public key in token
// headers and in the key set. It returns an error if the key fits no algorithm.
func KeyID(pub crypto.PublicKey) (string, error) {
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		if CheckKey(algorithm, pub) == nil {
			return newPublicKey(algorithm, pub).KeyID, nil
		}
	}
	return "", errors.New("a key of this kind or size fits no algorithm")
}
