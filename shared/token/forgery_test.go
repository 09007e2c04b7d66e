package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/token"
)

func hs256(t *testing.T, r *keyring.Ring) *token.Keys {
	t.Helper()
	keys, err := token.NewKeys(token.Options{
		Algorithm: "HS256", Ring: r, Issuer: "issuer", Audience: "audience", Lifetime: token.Lifetime,
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var b64 = base64.RawURLEncoding

// parts returns the header and claims of a token as JSON objects.
func parts(t *testing.T, raw string) (header, claims map[string]any) {
	t.Helper()
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := b64.DecodeString(strings.Split(raw, ".")[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// secret returns the HMAC key of the ring, derived as the package does.
func secret(r *keyring.Ring) []byte {
	first, second := r.Derive("access token v1").Current(), r.Derive("access token v1, second half").Current()
	return append(first.Bytes[:], second.Bytes[:]...)
}

// forge signs header and claims with HMAC-SHA256 under the key.
func forge(t *testing.T, header, claims map[string]any, key []byte) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return seal(string(h), string(c), key)
}

func seal(header, claims string, key []byte) string {
	text := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + b64.EncodeToString(mac.Sum(nil))
}

// TestVerify_RefusesForgeries tries every published class of forgery (RFC 8725)
// and every claim, each on a token that is good otherwise. All are signed with
// the right key, unless the case is about the key: the signature alone must not
// be what refuses them.
func TestVerify_RefusesForgeries(t *testing.T) {
	t.Parallel()
	r := ring(t)
	keys := hs256(t, r)
	good, err := keys.Sign(account.NewID(), account.User, signin.NewID(), now)
	if err != nil {
		t.Fatal(err)
	}
	header, claims := parts(t, good)
	key := secret(r)
	if _, err := keys.Verify(forge(t, header, claims, key), now); err != nil {
		t.Fatalf("a token made by the test is refused, so nothing below means anything: %v", err)
	}
	with := func(m map[string]any, name string, value any) map[string]any {
		c := maps.Clone(m)
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		return c
	}
	cases := map[string]string{
		"nothing": "", "two dots": "..", "one part": "x", "four parts": good + ".x", "padding": good + "=",
		"a space around":   " " + good,
		"cut signature":    good[:len(good)-1],
		"no signature":     good[:strings.LastIndex(good, ".")+1],
		"another key":      forge(t, header, claims, []byte(strings.Repeat("k", 64))),
		"an empty key":     forge(t, header, claims, nil),
		"a huge token":     forge(t, header, with(claims, "x", strings.Repeat("x", 5000)), key),
		"claims no object": seal(mustJSON(t, header), `[]`, key),
		"claims null":      seal(mustJSON(t, header), `null`, key),
		"iat a string":     forge(t, header, with(claims, "iat", "now"), key),
		"exp a fraction":   forge(t, header, with(claims, "exp", 1e300), key),
		"aud a list":       forge(t, header, with(claims, "aud", []string{"audience"}), key),
		"not yet issued":   forge(t, header, with(claims, "iat", now.Add(token.Leeway+time.Second).Unix()), key),
		"exp before iat":   forge(t, header, with(claims, "exp", claims["iat"]), key),
		"another role":     forge(t, header, with(claims, "role", "king"), key),
		"sub no id":        forge(t, header, with(claims, "sub", "1"), key),
		"sid no id":        forge(t, header, with(claims, "sid", "1"), key),
		"another issuer":   forge(t, header, with(claims, "iss", "other"), key),
		"another audience": forge(t, header, with(claims, "aud", "other"), key),
		"typ JWT":          forge(t, with(header, "typ", "JWT"), claims, key),
		"kid unknown":      forge(t, with(header, "kid", "00000000"), claims, key),
		"kid a path":       forge(t, with(header, "kid", "../../dev/null"), claims, key),
		"kid a number":     forge(t, with(header, "kid", 1), claims, key),
		"HS384":            forge(t, with(header, "alg", "HS384"), claims, key),
		"a nested token":   forge(t, with(header, "cty", "JWT"), claims, key),
		"compressed":       forge(t, with(header, "zip", "DEF"), claims, key),
		"b64 false":        forge(t, with(header, "b64", false), claims, key),
		"crit":             forge(t, with(header, "crit", []string{"exp"}), claims, key),
		"embedded jwk":     forge(t, with(header, "jwk", map[string]string{"kty": "oct", "k": b64.EncodeToString(key)}), claims, key),
		"jku":              forge(t, with(header, "jku", "https://evil.example.com/jwks"), claims, key),
		"x5u":              forge(t, with(header, "x5u", "https://evil.example.com/cert"), claims, key),
		"x5c":              forge(t, with(header, "x5c", []string{"MII="}), claims, key),
	}
	for _, name := range []string{"iss", "aud", "sub", "sid", "role", "iat", "exp", "jti"} {
		cases["without "+name] = forge(t, header, with(claims, name, nil), key)
	}
	for _, name := range []string{"alg", "typ", "kid"} {
		cases["header without "+name] = forge(t, with(header, name, nil), claims, key)
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		unsigned := forge(t, with(header, "alg", none), claims, key)
		cases["alg "+none] = unsigned
		cases["unsigned, alg "+none] = unsigned[:strings.LastIndex(unsigned, ".")+1]
	}
	for name, raw := range cases {
		if _, err := keys.Verify(raw, now); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVerify_RefusesNonCanonicalSignatures flips the bits of the signature's
// last character that base64 does not use: two spellings of one token would
// pass every list of ended tokens.
func TestVerify_RefusesNonCanonicalSignatures(t *testing.T) {
	t.Parallel()
	keys := hs256(t, ring(t))
	good, err := keys.Sign(account.NewID(), account.User, signin.NewID(), now)
	if err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, good[len(good)-1])
	for i := 1; i < 4; i++ {
		other := good[:len(good)-1] + string(alphabet[last^i])
		if _, err := keys.Verify(other, now); err == nil {
			t.Errorf("a second spelling of the signature passes: …%s", other[len(other)-4:])
		}
	}
}

// TestVerify_TakesNoPublicKeyForASecret is the algorithm confusion: the public
// key, which everybody has, as the key of an HMAC.
func TestVerify_TakesNoPublicKeyForASecret(t *testing.T) {
	t.Parallel()
	for algorithm, private := range signers(t) {
		keys, err := token.NewKeys(token.Options{
			Algorithm: algorithm, Private: private, Issuer: "issuer", Audience: "audience", Lifetime: token.Lifetime,
		})
		if err != nil {
			t.Fatal(err)
		}
		good, err := keys.Sign(account.NewID(), account.User, signin.NewID(), now)
		if err != nil {
			t.Fatal(err)
		}
		header, claims := parts(t, good)
		der, err := x509.MarshalPKIXPublicKey(private.Public())
		if err != nil {
			t.Fatal(err)
		}
		for _, alg := range []string{"HS256", algorithm} {
			header["alg"] = alg
			for _, key := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})} {
				if _, err := keys.Verify(forge(t, header, claims, key), now); !errors.Is(err, token.ErrInvalid) {
					t.Errorf("%s: a token signed with the public key and alg %s passes: %v", algorithm, alg, err)
				}
			}
		}
	}
}

func TestVerify_Time(t *testing.T) {
	t.Parallel()
	keys := hs256(t, ring(t))
	raw, err := keys.Sign(account.NewID(), account.User, signin.NewID(), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		at   time.Duration // after signing
		want error
	}{
		{"at once", 0, nil},
		{"by a clock that is behind", -token.Leeway, nil},
		{"by one that is further behind", -token.Leeway - time.Second, token.ErrInvalid},
		{"to the end", token.Lifetime - time.Second, nil},
		{"within the leeway", token.Lifetime + token.Leeway - time.Second, nil},
		{"after it", token.Lifetime + token.Leeway, token.ErrExpired},
	} {
		if _, err := keys.Verify(raw, now.Add(test.at)); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	if token.Leeway > 30*time.Second {
		t.Errorf("the leeway is %v, more than the 30 s that are allowed", token.Leeway)
	}
}

func TestVerify_AfterARotation(t *testing.T) {
	t.Parallel()
	old, fresh := keyring.Generate(), keyring.Generate()
	before, err := keyring.New(old)
	if err != nil {
		t.Fatal(err)
	}
	after, err := keyring.New(fresh, old)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hs256(t, before).Sign(account.NewID(), account.User, signin.NewID(), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hs256(t, after).Verify(raw, now); err != nil {
		t.Errorf("the token of the previous secret is refused: %v", err)
	}
	next, err := hs256(t, after).Sign(account.NewID(), account.User, signin.NewID(), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hs256(t, before).Verify(next, now); err == nil {
		t.Error("new tokens are signed with the previous secret")
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	if got := string(hs256(t, ring(t)).JWKS()); got != `{"keys":[]}` {
		t.Errorf("a symmetric key set publishes %s", got)
	}
	private := signers(t)
	for algorithm, members := range map[string]string{
		"EdDSA": "alg crv kid kty use x", "ES256": "alg crv kid kty use x y", "RS256": "alg e kid kty n use",
	} {
		keys, err := token.NewKeys(token.Options{
			Algorithm: algorithm, Private: private[algorithm], Issuer: "i", Audience: "a", Lifetime: token.Lifetime,
		})
		if err != nil {
			t.Fatal(err)
		}
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(keys.JWKS(), &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%s: %s, %v", algorithm, keys.JWKS(), err)
		}
		for _, name := range strings.Fields(members) {
			if set.Keys[0][name] == "" {
				t.Errorf("%s: no %s in %s", algorithm, name, keys.JWKS())
			}
		}
		if len(set.Keys[0]) != len(strings.Fields(members)) {
			t.Errorf("%s publishes %s, want only %s", algorithm, keys.JWKS(), members)
		}
		raw, err := keys.Sign(account.NewID(), account.User, signin.NewID(), now)
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, err := jwt.NewParser().ParseUnverified(raw, jwt.MapClaims{})
		if err != nil || parsed.Header["kid"] != set.Keys[0]["kid"] {
			t.Errorf("%s: the token names the key %v, the set %s", algorithm, parsed.Header["kid"], set.Keys[0]["kid"])
		}
	}
}

func TestNewKeys_RefusesKeysThatDoNotFit(t *testing.T) {
	t.Parallel()
	private := signers(t)
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		for other, key := range private {
			if _, err := token.NewKeys(token.Options{Algorithm: algorithm, Private: key}); (err == nil) != (algorithm == other) {
				t.Errorf("%s with a key for %s: %v", algorithm, other, err)
			}
		}
		if _, err := token.NewKeys(token.Options{Algorithm: algorithm}); err == nil {
			t.Errorf("%s works without a key", algorithm)
		}
	}
	if _, err := token.NewKeys(token.Options{Algorithm: "none"}); err == nil {
		t.Error(`"none" is an algorithm`)
	}
}

// FuzzVerify holds that nothing but a token of ours verifies: what passes was
// signed with the key, and says what its text says.
func FuzzVerify(f *testing.F) {
	r, err := keyring.New(keyring.Generate())
	if err != nil {
		f.Fatal(err)
	}
	keys, err := token.NewKeys(token.Options{
		Algorithm: "HS256", Ring: r, Issuer: "issuer", Audience: "audience", Lifetime: token.Lifetime,
	})
	if err != nil {
		f.Fatal(err)
	}
	good, err := keys.Sign(account.NewID(), account.User, signin.NewID(), now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("..")
	f.Add(good[:40])
	f.Fuzz(func(t *testing.T, raw string) {
		claims, err := keys.Verify(raw, now)
		if err == nil && raw != good {
			t.Errorf("%q verifies as %+v", raw, claims)
		}
		if err != nil && fault.Of(err).Kind != fault.InvalidToken {
			t.Errorf("%q is refused as %v", raw, err)
		}
	})
}
