package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/uid"
)

const (
	purpose = "access token v1" // of the first half of an HMAC key
	second  = "access token v1, second half"

	tokenType = "at+jwt" // RFC 9068 section 2.1; nothing else of ours can be taken for an access token
	maxToken  = 4 << 10  // bytes; ours have some 500
	minRSA    = 2048     // bits, RFC 7518 section 3.3
)

// Options say how tokens are signed.
type Options struct {
	Algorithm string             // HS256, HS384, HS512, EdDSA, ES256 or RS256 (RFC 7518 section 3.1, RFC 8037)
	Ring      *keyring.Ring      // for HS algorithms
	Private   crypto.Signer      // for the others
	Previous  []crypto.PublicKey // whose tokens are still accepted after a rotation
	Issuer    string
	Audience  string
	Lifetime  time.Duration
}

// Keys sign access tokens with the current key, and verify those of the current
// and previous ones. They are immutable and safe for concurrent use.
type Keys struct {
	method   jwt.SigningMethod
	signing  any
	kid      string
	byID     map[string]any // what verifies the tokens with that kid
	public   []publicKey    // what [Keys.JWKS] publishes
	parser   *jwt.Parser
	issuer   string
	audience string
	lifetime time.Duration
}

// NewKeys returns the keys for o, or an error when a key does not fit the
// algorithm.
func NewKeys(o Options) (*Keys, error) {
	k := &Keys{
		method: jwt.GetSigningMethod(o.Algorithm), byID: map[string]any{},
		issuer: o.Issuer, audience: o.Audience, lifetime: o.Lifetime,
		// Times are checked below, against the time that the caller tells.
		parser: jwt.NewParser(jwt.WithValidMethods([]string{o.Algorithm}), jwt.WithStrictDecoding(),
			jwt.WithoutClaimsValidation()),
	}
	switch o.Algorithm {
	case "HS256", "HS384", "HS512":
		k.shared(o.Ring)
		return k, nil
	case "EdDSA", "ES256", "RS256":
		return k, k.asymmetric(o)
	}
	return nil, fmt.Errorf("%q is no algorithm for access tokens", o.Algorithm)
}

// shared sets up HMAC: 64 bytes a key, which is what the longest hash asks for
// (RFC 7518 section 3.2).
func (k *Keys) shared(ring *keyring.Ring) {
	firsts, seconds := ring.Derive(purpose), ring.Derive(second)
	for i, key := range firsts {
		kid := hex.EncodeToString(key.ID[:])
		secret := append(key.Bytes[:], seconds[i].Bytes[:]...)
		k.byID[kid] = secret
		if i == 0 {
			k.kid, k.signing = kid, secret
		}
	}
}

func (k *Keys) asymmetric(o Options) error {
	if o.Private == nil {
		return errors.New("the algorithm needs a private key")
	}
	for i, pub := range append([]crypto.PublicKey{o.Private.Public()}, o.Previous...) {
		if err := fits(o.Algorithm, pub); err != nil {
			return err
		}
		p := describe(o.Algorithm, pub)
		k.byID[p.KeyID] = pub
		k.public = append(k.public, p)
		if i == 0 {
			k.kid, k.signing = p.KeyID, o.Private
		}
	}
	return nil
}

func fits(algorithm string, pub crypto.PublicKey) error {
	ok := false
	switch key := pub.(type) {
	case ed25519.PublicKey:
		ok = algorithm == "EdDSA"
	case *ecdsa.PublicKey:
		ok = algorithm == "ES256" && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		ok = algorithm == "RS256" && key.N.BitLen() >= minRSA
	}
	if !ok {
		return fmt.Errorf("a key of this kind or size does not fit %s", algorithm)
	}
	return nil
}

// Lifetime returns how long a token lives.
func (k *Keys) Lifetime() time.Duration { return k.lifetime }

// Sign returns a new access token (RFC 9068 section 2.2).
func (k *Keys) Sign(who account.ID, role account.Role, login signin.ID, now time.Time) (string, error) {
	t := jwt.NewWithClaims(k.method, wire{
		Issuer: k.issuer, Audience: k.audience, Subject: string(who), Login: string(login), Role: string(role),
		IssuedAt: now.Unix(), ExpiresAt: now.Add(k.lifetime).Unix(), ID: uid.New(),
	})
	t.Header["typ"], t.Header["kid"] = tokenType, k.kid
	signed, err := t.SignedString(k.signing)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return signed, nil
}

// Verify returns what raw says, if one of the keys signed it and it is good at
// now; else [ErrInvalid] or [ErrExpired].
func (k *Keys) Verify(raw string, now time.Time) (Claims, error) {
	if len(raw) > maxToken {
		return Claims{}, ErrInvalid.Because(errors.New("too long"))
	}
	var w wire
	if _, err := k.parser.ParseWithClaims(raw, &w, k.verifying); err != nil {
		return Claims{}, ErrInvalid.Because(err)
	}
	c, err := w.claims()
	switch {
	case err != nil:
		return Claims{}, ErrInvalid.Because(err)
	case w.Issuer != k.issuer, w.Audience != k.audience:
		return Claims{}, ErrInvalid.Because(errors.New("of another issuer or for another audience"))
	case c.IssuedAt.After(now.Add(Leeway)):
		return Claims{}, ErrInvalid.Because(errors.New("issued in the future"))
	case !now.Before(c.ExpiresAt.Add(Leeway)):
		return Claims{}, ErrExpired
	}
	return c, nil
}

// verifying returns the key for a token by its header, which holds exactly what
// ours hold: an embedded key, a key URL or a critical extension is refused with
// every other surprise (RFC 8725 sections 3.10 and 3.11).
func (k *Keys) verifying(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	key, known := k.byID[kid]
	switch {
	case len(t.Header) != 3 || t.Header["typ"] != tokenType:
		return nil, errors.New("not the header of an access token")
	case !known:
		return nil, errors.New("unknown key id")
	}
	return key, nil
}
