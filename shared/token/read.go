package token

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/keyring"
)

// Read returns the keys that the environment asks for: JWT_ALGORITHM,
// JWT_PRIVATE_KEY_FILE, JWT_PREVIOUS_PUBLIC_KEY_FILE, JWT_ISSUER, JWT_AUDIENCE
// and ACCESS_TOKEN_EXPIRE_MINUTES. What is wrong goes to env; the keys are nil
// then.
func Read(env *config.Env, ring *keyring.Ring) *Keys {
	const privateFile, previousFile = "JWT_PRIVATE_KEY_FILE", "JWT_PREVIOUS_PUBLIC_KEY_FILE"
	o := Options{
		Algorithm: env.OneOf("JWT_ALGORITHM", "HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256"),
		Ring:      ring,
		Issuer:    env.String("JWT_ISSUER", "voiceassist"),
		Audience:  env.String("JWT_AUDIENCE", "voiceassist"),
		Lifetime:  time.Duration(env.Int("ACCESS_TOKEN_EXPIRE_MINUTES", int(Lifetime/time.Minute), 1, 24*60)) * time.Minute,
	}
	if o.Algorithm[:2] != "HS" {
		path := env.String(privateFile, "")
		key, err := readPEM(path, parsePrivate)
		if err != nil {
			env.Refuse(privateFile, path, "a file with a PEM private key for "+o.Algorithm+" ("+err.Error()+")")
			return nil
		}
		o.Private = key
		if path := env.String(previousFile, ""); path != "" {
			pub, err := readPEM(path, x509.ParsePKIXPublicKey)
			if err != nil {
				env.Refuse(previousFile, path, "a file with a PEM public key for "+o.Algorithm+" ("+err.Error()+")")
				return nil
			}
			o.Accepted = []crypto.PublicKey{pub}
		}
	}
	keys, err := NewKeys(o)
	if err != nil {
		env.Refuse(privateFile, env.String(privateFile, ""), "a key that fits JWT_ALGORITHM ("+err.Error()+")")
		return nil
	}
	return keys
}

// readPEM parses the first block of a PEM file.
func readPEM[K any](path string, parse func(der []byte) (K, error)) (K, error) {
	var none K
	text, err := os.ReadFile(path)
	if err != nil {
		return none, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return none, errors.New("no PEM block")
	}
	return parse(block.Bytes)
}

func parsePrivate(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if key, err := x509.ParseECPrivateKey(der); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
			return key, nil
		}
		return nil, fmt.Errorf("private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("private key: not one that signs")
	}
	return signer, nil
}
