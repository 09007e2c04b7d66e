package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// signers returns a fresh private key for each asymmetric algorithm.
func signers(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	_, ed, err1 := ed25519.GenerateKey(rand.Reader)
	ec, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rs, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"EdDSA": ed, "ES256": ec, "RS256": rs}
}

func TestKeys_RoundTripEveryAlgorithm(t *testing.T) {
	t.Parallel()
	private := signers(t)
	for _, algorithm := range []string{"HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			keys, err := token.NewKeys(token.Options{
				Algorithm: algorithm, Secrets: []secret.String{keyring.Generate()}, Private: private[algorithm],
				Issuer: "issuer", Audience: "audience", Lifetime: token.DefaultLifetime,
			})
			if err != nil {
				t.Fatal(err)
			}
			who, login := account.NewID(), signin.NewID()
			raw, err := keys.Sign(signin.Login{UserID: who, ID: login}, account.Admin, now)
			if err != nil {
				t.Fatal(err)
			}
			got, err := keys.Verify(raw, now)
			if err != nil {
				t.Fatal(err)
			}
			want := token.Claims{
				Subject: who, Login: login, Role: account.Admin,
				IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute), ID: got.ID,
			}
			if got != want || got.ID == "" {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestReplace_SignsWithTheNewKeyAndVerifiesBoth(t *testing.T) {
	t.Parallel()
	old, fresh := signers(t)["EdDSA"], signers(t)["EdDSA"]
	with := func(private crypto.Signer, accepted ...crypto.PublicKey) *token.Keys {
		t.Helper()
		keys, err := token.NewKeys(token.Options{Algorithm: "EdDSA", Private: private, Accepted: accepted, Lifetime: token.DefaultLifetime})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	sign := func(keys *token.Keys) string {
		t.Helper()
		raw, err := keys.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	keys := with(old)
	if keys.Replace(with(old)) {
		t.Error("Replace reports a change for the same key")
	}
	before := sign(keys)
	for _, next := range []*token.Keys{with(old, fresh.Public()), with(fresh, old.Public())} {
		if !keys.Replace(next) {
			t.Error("Replace reports no change for another key")
		}
		for _, raw := range []string{before, sign(keys)} {
			if _, err := keys.Verify(raw, now); err != nil {
				t.Errorf("token rejected: %v", err)
			}
		}
	}
	if id, err := token.KeyID(fresh.Public()); err != nil || id != keys.IDs()[0] || len(keys.IDs()) != 2 {
		t.Errorf("got keys %v, want %s first; %v", keys.IDs(), id, err)
	}
	keys.Replace(with(fresh))
	if _, err := keys.Verify(before, now); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("token of a removed key: got %v", err)
	}
}

func TestGenerate_KeysRoundTrip(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		key, err := token.GenerateKey(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.CheckKey(algorithm, key.Public()); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		private, err1 := token.EncodePrivate(key)
		public, err2 := token.EncodePublic(key.Public())
		again, err3 := token.ParsePrivate(private)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		id, err4 := token.KeyID(key.Public())
		same, err5 := token.KeyID(again.Public())
		if id != same || err4 != nil || err5 != nil {
			t.Errorf("%s: key %s was read back as %s, %v %v", algorithm, id, same, err4, err5)
		}
		// OpenSSL and the settings can read both.
		env := config.Map(map[string]string{
			"JWT_ALGORITHM": algorithm, token.VariablePrivate: private.Reveal(), token.VariableNext: public,
		})
		if keys := setting.Of[token.PublicSettings](env).Keys(); env.Err() != nil || keys.IDs()[0] != id {
			t.Errorf("%s: settings: got %v, %v", algorithm, keys, env.Err())
		}
	}
	if _, err := token.GenerateKey("HS256"); err == nil {
		t.Error("Generate returns a private key for HS256")
	}
	if id, err := token.KeyID("no key"); err == nil {
		t.Errorf("an invalid key has the ID %s", id)
	}
}
