// Package keys contains the rules for the keys of a gateway: which settings or
// files they come from, how they are rotated, and how a running server follows
// changes. It prints nothing and opens no database; commands pass in what it needs.
//
// There are three kinds of keys. A [Source] says where each comes from. A [Chain]
// is the keys of one kind over time; a [Rotator] takes the next step of its
// rotation, and [Status] describes it. If settings contain the keys, only an
// operator can change them, and [Advice] says how.
//
// Begin with [Rotator.Rotate].
package keys

import (
	"encoding/hex"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// A Kind is what keys are used for. Commands print it.
type Kind string

const (
	Signing Kind = "signing key" // signs access tokens with EdDSA, ES256 or RS256
	Secret  Kind = "secret"      // signs access tokens with HS256, HS384 or HS512
	Data    Kind = "data secret" // all other keys are derived from it
)

// KindFor returns the kind of the keys that sign access tokens.
func KindFor(algorithm string) Kind {
	if token.Symmetric(algorithm) {
		return Secret
	}
	return Signing
}

// A Generated key is new and not in use.
type Generated struct {
	Kind   Kind
	ID     string // see [Line]
	Text   secret.String
	Public string // the public key in PEM, for [Signing]
}

// Generate returns a new key that can sign access tokens with the algorithm.
func Generate(algorithm string) (g Generated, err error) {
	g.Kind = KindFor(algorithm)
	if g.Text, err = generate(g.Kind, algorithm); err != nil {
		return g, err
	}
	if g.ID, err = keyID(g.Kind, g.Text); err != nil {
		return g, err
	}
	if g.Kind == Signing {
		g.Public, err = publicKey(g.Text)
	}
	return g, err
}

// generate returns the text of a new key.
func generate(kind Kind, algorithm string) (secret.String, error) {
	if kind != Signing {
		return keyring.Generate(), nil
	}
	key, err := token.GenerateKey(algorithm)
	if err != nil {
		return "", err
	}
	return token.EncodePrivate(key)
}

// keyID returns the public identifier of a key: the "kid" of the access tokens
// that it signs or, for a data secret, the identifier in refresh tokens.
func keyID(kind Kind, text secret.String) (string, error) {
	switch kind {
	case Secret:
		keys, err := token.NewKeys(token.Options{Algorithm: "HS256", Secrets: []secret.String{text}})
		if err != nil {
			return "", err
		}
		return keys.IDs()[0], nil
	case Data:
		ring, err := keyring.New(text)
		if err != nil {
			return "", err
		}
		id := ring.Derive(signin.Purpose).Current().ID
		return hex.EncodeToString(id[:]), nil
	}
	key, err := token.ParsePrivate(text)
	if err != nil {
		return "", err
	}
	return token.KeyID(key.Public())
}

// publicKey returns the public key of a private key, both in PEM.
func publicKey(private secret.String) (string, error) {
	key, err := token.ParsePrivate(private)
	if err != nil {
		return "", err
	}
	return token.EncodePublic(key.Public())
}
