package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// TestRFC8725 covers the best current practices for JSON Web Tokens, with one case for
// each section, named after it. If a section has many variants, the forgery tests cover
// them all.
func TestRFC8725(t *testing.T) {
	t.Parallel()
	all := worlds(t)
	each := func(t *testing.T, try func(t *testing.T, w *world)) {
		t.Helper()
		for _, w := range all {
			w.accepted(t)
			try(t, w)
		}
	}
	t.Run("3.1 perform algorithm verification", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			for _, alg := range []string{"none", "HS256", "HS384", "ES256", "RS256", "EdDSA"} {
				if alg != w.algorithm {
					w.refused(t, alg, w.sign(t, with(t, w.header, "alg", fmt.Sprintf("%q", alg)), w.claims))
				}
			}
		})
	})
	t.Run("3.2 use appropriate algorithms", func(t *testing.T) {
		t.Parallel()
		private := signers(t)
		for _, alg := range []string{"none", "", "HS1", "RS1", "RSA1_5", "PS256", "ES256K", "ES512", "RS512", "dir", "A128KW"} {
			for _, key := range private {
				if _, err := token.NewKeys(token.Options{Algorithm: alg, Private: key, Secrets: []secret.String{keyring.Generate()}}); err == nil {
					t.Errorf("algorithm %q is accepted", alg)
				}
			}
		}
	})
	t.Run("3.3 validate all cryptographic operations", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			w.refused(t, "changed claims under the old signature",
				strings.Split(w.good, ".")[0]+"."+b64.EncodeToString([]byte(with(t, w.claims, "role", `"admin"`)))+"."+strings.Split(w.good, ".")[2])
			w.refused(t, "a valid token nested in an invalid one", w.sign(t, with(t, w.header, "cty", `"JWT"`), w.good))
		})
	})
	t.Run("3.4 validate cryptographic inputs", func(t *testing.T) {
		t.Parallel()
		w := all["ES256"]
		pkix, err := x509.MarshalPKIXPublicKey(w.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(w.private)
		if err != nil {
			t.Fatal(err)
		}
		for name, point := range map[string][]byte{
			"off the curve": flip(pkix, 8*(len(pkix)-1)), "at infinity": append(pkix[:len(pkix)-65:len(pkix)-65], make([]byte, 65)...),
			"cut": pkix[:len(pkix)-1],
		} {
			env := config.Map(map[string]string{
				"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY_FILE": file(t, "PRIVATE KEY", pkcs8),
				"JWT_PREVIOUS_PUBLIC_KEY_FILE": file(t, "PUBLIC KEY", point),
			})
			if setting.Of[token.Settings](env).Keys(); env.Err() == nil {
				t.Errorf("a point %s is accepted as a key", name)
			}
		}
		w.refused(t, "r and s of zero", w.good[:strings.LastIndexByte(w.good, '.')+1]+b64.EncodeToString(make([]byte, 64)))
	})
	t.Run("3.5 ensure keys have sufficient entropy", func(t *testing.T) {
		t.Parallel()
		for _, weak := range []string{"", "secret", "password", strings.Repeat("a", 64), "changeme-with-openssl-rand-base64-48", strings.Repeat("ab", 20)} {
			if _, err := keyring.New(secret.String(weak)); err == nil {
				t.Errorf("%q is accepted as a secret", weak)
			}
		}
		small, err1 := rsa.GenerateKey(rand.Reader, 1024)
		large, err2 := rsa.GenerateKey(rand.Reader, 2048)
		curve, err3 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		weak := map[string]crypto.PublicKey{"RSA of 1024 bits": small.Public(), "another curve": curve.Public()}
		for _, e := range []int{0, 1, 2, 3, 17, 65536, 65538} {
			weak[fmt.Sprintf("RSA with the exponent %d", e)] = &rsa.PublicKey{N: large.N, E: e}
		}
		for name, pub := range weak {
			for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
				if token.CheckKey(algorithm, pub) == nil {
					t.Errorf("%s is accepted as a key for %s", name, algorithm)
				}
			}
		}
	})
	t.Run("3.6 avoid compression of encryption inputs", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			w.refused(t, "compressed", w.sign(t, with(t, w.header, "zip", `"DEF"`), w.claims))
			w.refused(t, "encrypted", w.good+".AAAA.AAAA")
		})
	})
	t.Run("3.7 use UTF-8", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			w.refused(t, "Latin-1", w.sign(t, w.header, strings.Replace(w.claims, "issuer", "issu\xe9r", 1)))
			w.refused(t, "a byte order mark", w.sign(t, w.header, "\ufeff"+w.claims))
			w.refused(t, "UTF-16", w.sign(t, w.header, strings.Join(strings.Split(w.claims, ""), "\x00")))
			w.refused(t, "a lone surrogate", w.sign(t, w.header, strings.Replace(w.claims, "issuer", `\ud800`, 1)))
		})
	})
	t.Run("3.8 validate issuer and subject", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			for _, value := range []string{"", `"other"`, `["issuer"]`, "null"} {
				w.refused(t, "iss "+value, w.sign(t, w.header, with(t, w.claims, "iss", value)))
			}
			for _, value := range []string{"", `"root"`, `1`, "null"} {
				w.refused(t, "sub "+value, w.sign(t, w.header, with(t, w.claims, "sub", value)))
			}
		})
	})
	t.Run("3.9 use and validate audience", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			for _, value := range []string{"", `"other"`, `["other","audience"]`, `["audience"]`, "null"} {
				w.refused(t, "aud "+value, w.sign(t, w.header, with(t, w.claims, "aud", value)))
			}
		})
	})
	t.Run("3.10 do not trust received claims", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			w.refused(t, "kid", w.sign(t, with(t, w.header, "kid", `"' OR 1=1 --"`), w.claims))
			w.refused(t, "jku", w.sign(t, with(t, w.header, "jku", `"http://169.254.169.254/"`), w.claims))
			w.refused(t, "x5u", w.sign(t, with(t, w.header, "x5u", `"http://169.254.169.254/"`), w.claims))
			w.refused(t, "jwk", w.sign(t, with(t, w.header, "jwk", embedded(t, w)), w.claims))
		})
	})
	t.Run("3.11 use explicit typing", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, w *world) {
			if !strings.Contains(w.header, `"typ":"at+jwt"`) {
				t.Errorf("got header %s", w.header)
			}
			for _, value := range []string{"", `"JWT"`, `"id+jwt"`, `"secevent+jwt"`, `"application/at+jwt"`} {
				w.refused(t, "typ "+value, w.sign(t, with(t, w.header, "typ", value), w.claims))
			}
		})
	})
	t.Run("3.12 use mutually exclusive validation rules for different kinds of JWTs", func(t *testing.T) {
		t.Parallel()
		current := keyring.Generate()
		r, err := keyring.New(current)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, "HS256", nil, current)
		refresh := signin.NewCodec(r.Derive(signin.Purpose))
		w.refused(t, "a refresh token as an access token", refresh.Encode(signin.NewID(), 1).Reveal())
		if _, _, err := refresh.Decode(w.good); err == nil {
			t.Error("an access token passes as a refresh token")
		}
		another, err := token.NewKeys(token.Options{Algorithm: "HS256", Secrets: []secret.String{current}, Issuer: "issuer", Audience: "another", Lifetime: token.DefaultLifetime})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := another.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
		if err != nil {
			t.Fatal(err)
		}
		w.refused(t, "a token of the same keys for another audience", raw)
	})
}
