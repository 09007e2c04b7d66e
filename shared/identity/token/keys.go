package token

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

const (
	purpose = "access token v2" // for the id of an HMAC key, since the key is the secret itself

	// Earlier versions derived the key from the secret, in two halves of 32 bytes.
	derivedFirst  = "access token v1"
	derivedSecond = "access token v1, second half"

	// The aud claim of earlier versions if JWT_AUDIENCE was not set.
	formerAudience = "voiceassist"

	tokenType = "at+jwt" // RFC 9068 section 2.1; no other token of the gateway has this type
	maxToken  = 4 << 10  // bytes; the gateway's have about 500
	minRSA    = 2048     // bits, RFC 7518 section 3.3
	minE      = 1 << 16  // an RSA exponent must be larger and odd, FIPS 186-5 section 5.1

	// MaxLifetime is the longest lifetime that can be configured.
	MaxLifetime = 24 * time.Hour
)

// Options are the settings of [Keys].
type Options struct {
	Algorithm string             // HS256, HS384, HS512, EdDSA, ES256 or RS256 (RFC 7518 section 3.1, RFC 8037)
	Secrets   []secret.String    // for HS algorithms: the signing secret, then others to accept
	Private   crypto.Signer      // the signing key of the other algorithms
	Accepted  []crypto.PublicKey // keys to publish and accept as well: the next one and previous ones
	Issuer    string
	Audience  string // "" for none
	Lifetime  time.Duration
}

// Keys sign access tokens with the current key, and verify tokens of the
// current and all other accepted keys. They are safe for concurrent use, and
// change only by [Keys.Replace].
type Keys struct {
	set      atomic.Pointer[keySet]
	issuer   string
	lifetime time.Duration
}

// A keySet is the state of [Keys] at one time.
type keySet struct {
	method   jwt.SigningMethod
	signing  any                 // key of new tokens
	audience string              // of new tokens; "" for none
	byHeader map[string]verifier // by the encoded header of the token
	ids      []string            // of the accepted keys, signing key first
	public   []publicKey         // published by [Keys.JWKS]
	verified verifiedTokens      // by these keys
}

// NewKeys returns the keys for o, or an error if a key does not fit the
// algorithm.
func NewKeys(o Options) (*Keys, error) {
	set, err := newKeySet(o)
	if err != nil {
		return nil, err
	}
	k := &Keys{issuer: o.Issuer, lifetime: o.Lifetime}
	k.set.Store(set)
	return k, nil
}

// Replace replaces the keys by those of fresh, and reports whether the signing
// key or the accepted keys changed. Concurrent calls use either the old keys or
// the new ones.
func (k *Keys) Replace(fresh *Keys) (changed bool) {
	now := fresh.set.Load()
	before := k.set.Swap(now)
	return !before.equal(now)
}

// IDs returns the ids of the accepted keys as in token headers, signing key
// first.
func (k *Keys) IDs() []string { return k.set.Load().ids }

// equal compares the ids of the keys.
func (s *keySet) equal(other *keySet) bool {
	return s.method == other.method && slices.Equal(s.ids, other.ids)
}

func newKeySet(o Options) (*keySet, error) {
	s := &keySet{method: jwt.GetSigningMethod(o.Algorithm), audience: o.Audience, byHeader: map[string]verifier{}}
	switch o.Algorithm {
	case "HS256", "HS384", "HS512":
		return s, s.symmetric(o.Secrets)
	case "EdDSA", "ES256", "RS256":
		return s, s.asymmetric(o)
	}
	return nil, fmt.Errorf("%q is no algorithm for access tokens", o.Algorithm)
}

// MinSecret returns the minimum length of the secret for an HS algorithm, in
// bytes: the length of its hash (RFC 7518 section 3.2).
func MinSecret(algorithm string) int {
	return map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[algorithm]
}

// symmetric sets up HMAC. The key is the secret itself, so that services with
// the secret can verify tokens with any library.
func (s *keySet) symmetric(secrets []secret.String) error {
	if len(secrets) == 0 {
		return errors.New("the algorithm needs a secret")
	}
	for i, secret := range secrets {
		if len(secret) < MinSecret(s.method.Alg()) {
			if i == 0 {
				return fmt.Errorf("a secret of %d bytes is too short for %s", len(secret), s.method.Alg())
			}
			continue // it never signed itself; acceptLegacy accepts the key derived from it
		}
		ring, err := keyring.New(secret)
		if err != nil {
			return err
		}
		id := ring.Derive(purpose).Current().ID
		s.accept(hex.EncodeToString(id[:]), []byte(secret.Reveal()), nil, s.audience)
	}
	return s.acceptLegacy(secrets)
}

// acceptLegacy accepts the tokens of earlier versions, whose key was derived
// from the secret. It can be removed once the last of them has expired.
func (s *keySet) acceptLegacy(secrets []secret.String) error {
	for _, secret := range secrets {
		ring, err := keyring.New(secret)
		if err != nil {
			return err
		}
		first, second := ring.Derive(derivedFirst).Current(), ring.Derive(derivedSecond).Current()
		key := append(first.Bytes[:], second.Bytes[:]...)
		s.accept(hex.EncodeToString(first.ID[:]), key, nil, cmp.Or(s.audience, formerAudience))
	}
	return nil
}

func (s *keySet) asymmetric(o Options) error {
	if o.Private == nil {
		return errors.New("the algorithm needs a private key")
	}
	for _, pub := range append([]crypto.PublicKey{o.Private.Public()}, o.Accepted...) {
		if err := CheckKey(o.Algorithm, pub); err != nil {
			return err
		}
		p := newPublicKey(o.Algorithm, pub)
		audiences := []string{s.audience}
		if s.audience == "" {
			audiences = append(audiences, formerAudience) // the default of earlier versions
		}
		if s.accept(p.KeyID, pub, o.Private, audiences...) {
			s.public = append(s.public, p)
		}
	}
	return nil
}

// accept accepts the tokens of one more key for one of the audiences, and
// reports whether the key is new. The first key signs, with signing if that is
// not nil.
func (s *keySet) accept(kid string, verifying, signing any, audiences ...string) bool {
	header := encodedHeader(s.method.Alg(), kid)
	if _, known := s.byHeader[header]; known {
		return false
	}
	s.byHeader[header] = verifier{key: verifying, audiences: audiences}
	s.ids = append(s.ids, kid)
	if s.signing == nil {
		s.signing = cmp.Or(signing, verifying)
	}
	return true
}

// CheckKey returns an error if pub is not a key for the algorithm: of another
// type, on another curve, or weak (RFC 8725 sections 3.2, 3.4 and 3.5).
func CheckKey(algorithm string, pub crypto.PublicKey) error {
	ok := false
	switch key := pub.(type) {
	case ed25519.PublicKey:
		ok = algorithm == "EdDSA"
	case *ecdsa.PublicKey:
		ok = algorithm == "ES256" && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		ok = algorithm == "RS256" && key.N.BitLen() >= minRSA && key.E > minE && key.E%2 == 1
	}
	if !ok {
		return fmt.Errorf("a key of this kind or size does not fit %s", algorithm)
	}
	return nil
}

// Verify returns the claims of raw if one of the keys signed it and it is valid
// at now, otherwise [ErrInvalid] or [ErrExpired].
func (k *Keys) Verify(raw string, now time.Time) (Claims, error) {
	s := k.set.Load()
	hash := hashOf(raw)
	if c, ok := s.verified.claims(hash, now); ok {
		return c, nil
	}
	c, err := k.verify(s, raw, now)
	if err == nil {
		s.verified.add(hash, c)
	}
	return c, err
}

func (k *Keys) verify(s *keySet, raw string, now time.Time) (Claims, error) {
	v, err := s.verifierOf(raw)
	if err != nil {
		return Claims{}, ErrInvalid.Because(err)
	}
	var w wire
	_, err = k.parser(s, now).ParseWithClaims(raw, &w, func(t *jwt.Token) (any, error) {
		return defense.VerificationKey(t.Header, v.key), nil
	})
	expired := errors.Is(err, jwt.ErrTokenExpired) // jwt checks the signature first
	if err != nil && !expired {
		return Claims{}, ErrInvalid.Because(err)
	}
	// RFC 8725 section 3.9. jwt accepts any audience if a token may have none.
	if defense.AccessTokenClaims && !slices.Contains(v.audiences, w.Audience) {
		return Claims{}, ErrInvalid.Because(errAudience)
	}
	c, err := k.claims(&w, raw)
	switch {
	case err != nil:
		return Claims{}, ErrInvalid.Because(err)
	case c.IssuedAt.After(now.Add(IssuedAtLeeway)): // jwt has one leeway for both times
		return Claims{}, ErrInvalid.Because(errors.New("issued in the future"))
	case expired && defense.AccessTokenClaims:
		return Claims{}, ErrExpired
	}
	return c, nil
}

// parser returns a parser that checks the signature, the issuer and the expiry
// of a token at now (RFC 8725 sections 3.1 and 3.8).
func (k *Keys) parser(s *keySet, now time.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods(defense.Algorithms(s.method.Alg())), jwt.WithStrictDecoding(), jwt.WithIssuer(k.issuer),
		jwt.WithExpirationRequired(), jwt.WithLeeway(ExpiryLeeway), jwt.WithTimeFunc(func() time.Time { return now }),
	)
}
