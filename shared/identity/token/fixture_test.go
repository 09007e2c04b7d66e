package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

var b64 = base64.RawURLEncoding

// A fixture is a verifier to attack: its keys, one of its valid tokens, and the right key,
// which the attacker has in most cases.
type fixture struct {
	algorithm string
	keys      *token.Keys
	private   crypto.Signer // nil under HS256
	secret    []byte        // of HS256
	good      string
	header    string // of good, decoded
	claims    string
}

func newFixture(t testing.TB, algorithm string, private crypto.Signer, secrets ...secret.String) *fixture {
	t.Helper()
	keys, err := token.NewKeys(token.Options{
		Algorithm: algorithm, Secrets: secrets, Private: private, Issuer: "issuer", Audience: "audience", Lifetime: token.DefaultLifetime,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{algorithm: algorithm, keys: keys, private: private}
	if private == nil {
		f.secret = []byte(secrets[0].Reveal())
	}
	f.good, err = keys.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
	if err != nil {
		t.Fatal(err)
	}
	f.header, f.claims = segment(t, f.good, 0), segment(t, f.good, 1)
	return f
}

// fixtures returns one fixture for each kind of key.
func fixtures(t *testing.T) map[string]*fixture {
	t.Helper()
	all := map[string]*fixture{"HS256": newFixture(t, "HS256", nil, keyring.Generate())}
	for algorithm, private := range signers(t) {
		all[algorithm] = newFixture(t, algorithm, private)
	}
	return all
}

func segment(t testing.TB, raw string, n int) string {
	t.Helper()
	text, err := b64.DecodeString(strings.Split(raw, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sign returns header and claims, whatever they contain, signed with the fixture's key.
func (f *fixture) sign(t testing.TB, header, claims string) string {
	t.Helper()
	return f.signText(t, b64.EncodeToString([]byte(header))+"."+b64.EncodeToString([]byte(claims)))
}

func (f *fixture) signText(t testing.TB, text string) string {
	t.Helper()
	return text + "." + b64.EncodeToString(f.signature(t, text))
}

func (f *fixture) signature(t testing.TB, text string) []byte {
	t.Helper()
	var signature []byte
	var err error
	switch key := f.private.(type) {
	case nil:
		signature = mac(f.secret, text)
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(text))
	default:
		signature, err = jwt.GetSigningMethod(f.algorithm).Sign(text, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// der returns an ECDSA signature in ASN.1 instead of the form of RFC 7518.
func der(t testing.TB, key *ecdsa.PrivateKey, text string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// with returns the JSON object with the member set to a raw JSON value, in place of its
// former value if it had one; "" removes the member.
func with(t testing.TB, object, name, value string) string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(object))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	var members []string
	found := false
	for dec.More() {
		key, err1 := dec.Token()
		var old json.RawMessage
		if err := errors.Join(err1, dec.Decode(&old)); err != nil {
			t.Fatal(err)
		}
		text := string(old)
		if key == name {
			found = true
			if text = value; value == "" {
				continue
			}
		}
		members = append(members, fmt.Sprintf("%q:%s", key, text))
	}
	if !found && value != "" {
		members = append(members, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// naive reports whether a careless verifier accepts raw: the library with its defaults, the
// right key for whatever algorithm the header names, and no check of the claims. A token that
// it accepts is well-formed and correctly signed, so only the checks of the gateway can reject
// it.
func (f *fixture) naive(raw string) bool {
	p := jwt.NewParser(jwt.WithoutClaimsValidation())
	_, err := p.Parse(raw, func(*jwt.Token) (any, error) {
		if f.private != nil {
			return f.private.Public(), nil
		}
		return f.secret, nil
	})
	return err == nil
}

// refused fails the test unless all keys reject raw.
func (f *fixture) refused(t *testing.T, name, raw string) {
	t.Helper()
	if raw == f.good {
		t.Fatalf("%s, %s: the forgery equals the valid token", f.algorithm, name)
	}
	if _, err := f.keys.Verify(raw, now); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("%s, %s: got %v, want a rejection: %.200s", f.algorithm, name, err, raw)
	}
}

// accepted fails the test unless the good token still passes.
func (f *fixture) accepted(t *testing.T) {
	t.Helper()
	if _, err := f.keys.Verify(f.sign(t, f.header, f.claims), now); err != nil {
		t.Fatalf("%s: the valid token is rejected, so the rejections prove nothing: %v", f.algorithm, err)
	}
}

// flip returns b with one bit changed.
func flip(b []byte, bit int) []byte {
	c := bytes.Clone(b)
	c[bit/8] ^= 1 << (bit % 8)
	return c
}

func modulus(key crypto.Signer) int { return key.(*rsa.PrivateKey).Size() }
