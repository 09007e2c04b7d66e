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

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/token"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ring(t *testing.T) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(keyring.Generate())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

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

func TestEveryAlgorithmRoundTrips(t *testing.T) {
	t.Parallel()
	private := signers(t)
	for _, algorithm := range []string{"HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			keys, err := token.NewKeys(token.Options{
				Algorithm: algorithm, Ring: ring(t), Private: private[algorithm],
				Issuer: "issuer", Audience: "audience", Lifetime: token.Lifetime,
			})
			if err != nil {
				t.Fatal(err)
			}
			who, login := account.NewID(), signin.NewID()
			raw, err := keys.Sign(who, account.Admin, login, now)
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
