package token_test

import (
	"errors"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// TestVerify_ChecksARememberedToken verifies a token, so that its claims are remembered,
// and then changes what made it valid.
func TestVerify_ChecksARememberedToken(t *testing.T) {
	t.Parallel()
	end := now.Add(token.DefaultLifetime + token.ExpiryLeeway)
	for _, test := range []struct {
		name string
		raw  func(f *fixture) string
		keys func() *token.Keys // replace those of the fixture
		want error
	}{
		{name: "nothing changed"},
		{name: "another signature", raw: func(f *fixture) string {
			return f.sign(t, f.header, f.claims)[:len(f.good)-4] + "AAAA"
		}, want: token.ErrInvalid},
		{name: "other keys", keys: func() *token.Keys { return newFixture(t, "HS256", nil, keyring.Generate()).keys }, want: token.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, "HS256", nil, keyring.Generate())
			first, err := f.keys.Verify(f.good, now)
			if err != nil {
				t.Fatal(err)
			}
			raw := f.good
			if test.raw != nil {
				raw = test.raw(f)
			}
			if test.keys != nil {
				f.keys.Replace(test.keys())
			}
			again, err := f.keys.Verify(raw, now)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if test.want == nil && again != first {
				t.Errorf("got %+v, want %+v", again, first)
			}
		})
	}
	t.Run("another time", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, "HS256", nil, keyring.Generate())
		for range 2 { // the second time, it is remembered
			if _, err := f.keys.Verify(f.good, now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.keys.Verify(f.good, end); !errors.Is(err, token.ErrExpired) {
			t.Errorf("after its end: got %v, want %v", err, token.ErrExpired)
		}
		early := now.Add(-token.IssuedAtLeeway - 1)
		if _, err := f.keys.Verify(f.good, early); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("before it was issued: got %v, want %v", err, token.ErrInvalid)
		}
	})
}

// TestVerify_RemembersABoundedNumber verifies more tokens than are remembered.
func TestVerify_RemembersABoundedNumber(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "HS256", nil, keyring.Generate())
	for range 3*token.MaxVerified + 1 {
		raw, err := f.keys.Sign(signin.Login{UserID: account.NewID(), ID: signin.NewID()}, account.User, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.keys.Verify(raw, now); err != nil {
			t.Fatal(err)
		}
	}
	if n := token.Verified(f.keys); n < token.MaxVerified || n > 2*token.MaxVerified {
		t.Errorf("remembers %d tokens, want %d to %d", n, token.MaxVerified, 2*token.MaxVerified)
	}
}
