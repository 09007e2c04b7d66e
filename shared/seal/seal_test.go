package seal_test

import (
	"errors"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/seal"
)

func keys(t *testing.T, secrets ...config.Secret) keyring.Keys {
	t.Helper()
	ring, err := keyring.New(secrets[0], secrets[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return ring.Derive("test")
}

func TestBox_GivesBackWhatItSealed(t *testing.T) {
	t.Parallel()
	old, fresh := keyring.Generate(), keyring.Generate()
	before := seal.New(keys(t, old))
	box, err := before.Seal("open sesame", "row 1")
	if err != nil {
		t.Fatal(err)
	}
	after := seal.New(keys(t, fresh, old))
	if got, err := after.Open(box, "row 1"); got != "open sesame" || err != nil {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	if before.NeedsReseal(box) || !after.NeedsReseal(box) {
		t.Error("only after the rotation is the box to be sealed anew")
	}
	again, err := before.Seal("open sesame", "row 1")
	if err != nil || string(again) == string(box) {
		t.Errorf("two boxes of one text are equal, %v", err)
	}
}

func TestBox_OpensForNothingElse(t *testing.T) {
	t.Parallel()
	b := seal.New(keys(t, keyring.Generate()))
	box, err := b.Seal("open sesame", "row 1")
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, b *seal.Box, box []byte, aad string) {
		if got, err := b.Open(box, aad); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: got %q, %v", what, got.Reveal(), err)
		}
	}
	refuse("another row", b, box, "row 2")
	refuse("another secret", seal.New(keys(t, keyring.Generate())), box, "row 1")
	for n := range box {
		refuse("cut off", b, box[:n], "row 1")
		for bit := range 8 {
			changed := append([]byte{}, box...)
			changed[n] ^= 1 << bit
			refuse("a bit flipped", b, changed, "row 1")
		}
	}
}
