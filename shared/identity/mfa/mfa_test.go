package mfa_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func ring(t *testing.T) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(keyring.Generate())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		raw    secret.String
		totp   secret.String
		backup bool
	}{
		{"123456", "123456", false},
		{" 123 456 ", "123456", false},
		{"123-456", "123456", false},
		{"abcde-fgh23", "", true},
		{"ABCDE FGH23", "", true},
		{"abcdefgh23", "", true},
		{"", "", false},
		{"12345", "", false},
		{"1234567", "", false},
		{"１２３４５６", "", false},      // other digits
		{"abcde-fghl0", "", false}, // not of the alphabet
		{"abcde-fgh234", "", false},
	} {
		got := mfa.ParseCode(test.raw)
		if got.TOTP() != test.totp || got.Backup() != test.backup {
			t.Errorf("%q: got %q and %t", test.raw.Reveal(), got.TOTP().Reveal(), got.Backup())
		}
	}
	if printed := fmt.Sprintf("%v %+v %s", mfa.ParseCode("123456"), mfa.ParseCode("123456"), mfa.ParseCode("123456")); printed != "[code] [code] [code]" {
		t.Errorf("printed %s", printed)
	}
}

func TestNewBackupCodes(t *testing.T) {
	t.Parallel()
	codes, hashes := mfa.NewBackupCodes("KEY")
	if len(codes) != mfa.BackupCodes || len(hashes) != mfa.BackupCodes {
		t.Fatalf("got %d codes and %d hashes", len(codes), len(hashes))
	}
	form := regexp.MustCompile(`^[a-km-np-z2-9]{5}-[a-km-np-z2-9]{5}$`)
	for i, code := range codes {
		if !form.MatchString(code) || slices.Contains(codes[:i], code) {
			t.Errorf("got %q, of %q", code, codes)
		}
		parsed := mfa.ParseCode(secret.String(code))
		if !slices.Equal(parsed.BackupHash("KEY"), hashes[i]) {
			t.Errorf("%s has another hash when it comes back", code)
		}
		if slices.Equal(parsed.BackupHash("OTHER"), hashes[i]) {
			t.Error("the hash does not depend on the secret of the factor")
		}
	}
}

func TestFactor_Wait(t *testing.T) {
	t.Parallel()
	var f mfa.Factor
	for i := range mfa.MaxWrongCodes {
		if wait := f.Wait(noon); wait != 0 {
			t.Errorf("after %d wrong codes: wait %s", i, wait)
		}
		f.WrongCodes = append(f.WrongCodes, noon.Add(-time.Duration(i)*time.Minute))
	}
	const oldest = (mfa.MaxWrongCodes - 1) * time.Minute
	if wait := f.Wait(noon); wait != mfa.WrongCodeWindow-oldest {
		t.Errorf("got %s, want %s", wait, mfa.WrongCodeWindow-oldest)
	}
	if wait := f.Wait(noon.Add(mfa.WrongCodeWindow - oldest)); wait != 0 {
		t.Errorf("an hour after the oldest: wait %s", wait)
	}
}

func TestChallenge_ComesBack(t *testing.T) {
	t.Parallel()
	codec := mfa.NewChallengeCodec(ring(t))
	for _, cookie := range []bool{false, true} {
		c := mfa.NewChallenge(account.NewID(), "hash", cookie, noon)
		text, err := codec.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := codec.Decode(text, noon.Add(mfa.ChallengeLifetime-time.Microsecond))
		if err != nil || got != c || got.Cookie != cookie {
			t.Errorf("got %+v, %v; want %+v", got, err, c)
		}
		if !got.ProvedPassword("hash") || got.ProvedPassword("another hash") {
			t.Error("the challenge is not bound to the hash")
		}
		if _, err := codec.Decode(text, noon.Add(mfa.ChallengeLifetime)); !errors.Is(err, mfa.ErrChallengeExpired) {
			t.Errorf("after it expired: %v", err)
		}
	}
}

func TestChallengeCodec_RejectsForgeries(t *testing.T) {
	t.Parallel()
	r := ring(t)
	codec, user := mfa.NewChallengeCodec(r), account.NewID()
	text, err := codec.Encode(mfa.NewChallenge(user, "hash", false, noon))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := mfa.NewChallengeCodec(ring(t)).Encode(mfa.NewChallenge(user, "hash", false, noon))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	forgeries := map[string]string{
		"empty": "", "the id of the user": string(user), "of another gateway": foreign, "with more": text + "A",
		"a secret of a factor": base64.RawURLEncoding.EncodeToString(mfa.NewBox(r).Seal("x", "")),
	}
	for i := range raw {
		raw[i] ^= 1
		forgeries[fmt.Sprintf("byte %d changed", i)] = base64.RawURLEncoding.EncodeToString(raw)
		raw[i] ^= 1
	}
	for name, forged := range forgeries {
		if c, err := codec.Decode(forged, noon); !errors.Is(err, mfa.ErrChallengeExpired) {
			t.Errorf("%s: got %+v, %v", name, c, err)
		}
	}
}
