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
	all := fixtures(t)
	each := func(t *testing.T, try func(t *testing.T, f *fixture)) {
		t.Helper()
		for _, f := range all {
			f.accepted(t)
			try(t, f)
		}
	}
	t.Run("3.1 perform algorithm verification", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, f *fixture) {
			for _, alg := range []string{"none", "HS256", "HS384", "ES256", "RS256", "EdDSA"} {
				if alg != f.algorithm {
					f.refused(t, alg, f.sign(t, with(t, f.header, "alg", fmt.Sprintf("%q", alg)), f.claims))
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
		each(t, func(t *testing.T, f *fixture) {
			f.refused(t, "changed claims under the old signature",
				strings.Split(f.good, ".")[0]+"."+b64.EncodeToString([]byte(with(t, f.claims, "role", `"admin"`)))+"."+strings.Split(f.good, ".")[2])
			f.refused(t, "a valid token nested in an invalid one", f.sign(t, with(t, f.header, "cty", `"JWT"`), f.good))
		})
	})
	t.Run("3.4 validate cryptographic inputs", func(t *testing.T) {
		t.Parallel()
		f := all["ES256"]
		pkix, err := x509.MarshalPKIXPublicKey(f.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(f.private)
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
		f.refused(t, "r and s of zero", f.good[:strings.LastIndexByte(f.good, '.')+1]+b64.EncodeToString(make([]byte, 64)))
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
		each(t, func(t *testing.T, f *fixture) {
			f.refused(t, "compressed", f.sign(t, with(t, f.header, "zip", `"DEF"`), f.claims))
			f.refused(t, "encrypted", f.good+".AAAA.AAAA")
		})
	})
	t.Run("3.7 use UTF-8", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, f *fixture) {
			f.refused(t, "Latin-1", f.sign(t, f.header, strings.Replace(f.claims, "issuer", "issu\xe9r", 1)))
			f.refused(t, "a byte order mark", f.sign(t, f.header, "\ufeff"+f.claims))
			f.refused(t, "UTF-16", f.sign(t, f.header, strings.Join(strings.Split(f.claims, ""), "\x00")))
			f.refused(t, "a lone surrogate", f.sign(t, f.header, strings.Replace(f.claims, "issuer", `\ud800`, 1)))
		})
	})
	t.Run("3.8 validate issuer and subject", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, f *fixture) {
			for _, value := range []string{"", `"other"`, `["issuer"]`, "null"} {
				f.refused(t, "iss "+value, f.sign(t, f.header, with(t, f.claims, "iss", value)))
			}
			for _, value := range []string{"", `"root"`, `1`, "null"} {
				f.refused(t, "sub "+value, f.sign(t, f.header, with(t, f.claims, "sub", value)))
			}
		})
	})
	t.Run("3.9 use and validate audience", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, f *fixture) {
			for _, value := range []string{"", `"other"`, `["other","audience"]`, `["audience"]`, "null"} {
				f.refused(t, "aud "+value, f.sign(t, f.header, with(t, f.claims, "aud", value)))
			}
		})
	})
	t.Run("3.10 do not trust received claims", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, f *fixture) {
			f.refused(t, "kid", f.sign(t, with(t, f.header, "kid", `"' OR 1=1 --"`), f.claims))
			f.refused(t, "jku", f.sign(t, with(t, f.header, "jku", `"http://169.254.169.254/"`), f.claims))
			f.refused(t, "x5u", f.sign(t, with(t, f.header, "x5u", `"http://169.254.169.254/"`), f.claims))
			f.refused(t, "jwk", f.sign(t, with(t, f.header, "jwk", embedded(t, f)), f.claims))
		})
	})
	t.Run("3.11 use explicit typing", func(t *testing.T) {
		t.Parallel()
		each(t, func(t *testing.T, f *fixture) {
			if !strings.Contains(f.header, `"typ":"at+jwt"`) {
				t.Errorf("got header %s", f.header)
			}
			for _, value := range []string{"", `"JWT"`, `"id+jwt"`, `"secevent+jwt"`, `"application/at+jwt"`} {
				f.refused(t, "typ "+value, f.sign(t, with(t, f.header, "typ", value), f.claims))
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
		f := newFixture(t, "HS256", nil, current)
		refresh := signin.NewCodec(r.Derive(signin.Purpose))
		f.refused(t, "a refresh token as an access token", refresh.Encode(signin.NewID(), 1).Reveal())
		if _, _, err := refresh.Decode(f.good); err == nil {
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
		f.refused(t, "a token of the same keys for another audience", raw)
	})
}
