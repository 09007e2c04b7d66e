package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

const (
	plaintext = secret.String("hunter2 and more")
	owner     = "user 1"
)

// keys returns those of current and previous, fixed secrets of the test's.
func keys(tb testing.TB, current string, previous ...string) keyring.Keys {
	tb.Helper()
	const tail = " 0123456789abcdefghijklmnopqrstuv"
	var old []secret.String
	for _, p := range previous {
		old = append(old, secret.String(p+tail))
	}
	ring, err := keyring.New(secret.String(current+tail), old...)
	if err != nil {
		tb.Fatal(err)
	}
	return ring.Derive("seal test")
}

func TestBox_RoundTrips(t *testing.T) {
	t.Parallel()
	b := seal.New(keys(t, "a"))
	for _, plain := range []secret.String{"", "x", plaintext, secret.String(strings.Repeat("\x00\xff", 5000))} {
		box := b.Seal(plain, owner)
		if got, err := b.Open(box, owner); err != nil || got != plain {
			t.Errorf("%d bytes: Open = %d bytes, %v", len(plain), len(got), err)
		}
		if len(box) != len(plain)+seal.Overhead {
			t.Errorf("%d bytes sealed are %d bytes, want %d more", len(plain), len(box), seal.Overhead)
		}
	}
}

func TestBox_WritesTheDocumentedFormat(t *testing.T) {
	t.Parallel()
	ks := keys(t, "a")
	box := seal.New(ks).Seal(plaintext, owner)
	id := ks.Current().ID
	if box[0] != 1 || !bytes.Equal(box[1:5], id[:]) {
		t.Fatalf("the header is % x, want version 1 and the id % x", box[:5], id)
	}
	key := ks.Current().Bytes
	block, err1 := aes.NewCipher(key[:])
	gcm, err2 := cipher.NewGCM(block)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	aad := append(bytes.Clone(box[:5]), owner...)
	if got, err := gcm.Open(nil, box[5:17], box[17:], aad); err != nil || string(got) != plaintext.Reveal() {
		t.Errorf("by hand it opens to %q, %v; what was sealed before would be lost", got, err)
	}
}

func TestBox_SealsWithAFreshNonce(t *testing.T) {
	t.Parallel()
	b := seal.New(keys(t, "a"))
	one, two := b.Seal(plaintext, owner), b.Seal(plaintext, owner)
	if bytes.Equal(one[5:17], two[5:17]) || bytes.Equal(one[17:], two[17:]) {
		t.Error("a nonce was used twice")
	}
	if bytes.Contains(one, []byte("hunter2")) {
		t.Error("the secret can be read in its sealed form")
	}
}

func TestOpen_RejectsAlteredText(t *testing.T) {
	t.Parallel()
	b := seal.New(keys(t, "a", "b"))
	box := b.Seal(plaintext, owner)
	tests := []struct {
		name string
		box  []byte
		aad  string
	}{
		{"of another owner", box, "user 2"},
		{"of no owner", box, ""},
		{"of a longer owner", box, owner + "0"},
		{"nothing", nil, owner},
		{"a header alone", box[:5], owner},
		{"one byte less", box[:len(box)-1], owner},
		{"one byte more", append(bytes.Clone(box), 0), owner},
		{"sealed with a key that is gone", seal.New(keys(t, "c")).Seal(plaintext, owner), owner},
		{"the owner moved into the header", append(bytes.Clone(box[:4]), box[5:]...), string(box[4]) + owner},
		{"under the id of another key", swapID(box, keys(t, "b").Current().ID), owner},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, b, tt.box, tt.aad)
		})
	}
}

func TestOpen_DetectsEveryFlippedBit(t *testing.T) {
	t.Parallel()
	b := seal.New(keys(t, "a", "b"))
	box := b.Seal(plaintext, owner)
	for i := range len(box) * 8 {
		flipped := bytes.Clone(box)
		flipped[i/8] ^= 1 << (i % 8)
		refused(t, b, flipped, owner)
	}
}

func TestOpen_DetectsTruncation(t *testing.T) {
	t.Parallel()
	b := seal.New(keys(t, "a"))
	box := b.Seal(plaintext, owner)
	for n := range box {
		refused(t, b, box[:n], owner)
	}
}

func TestBox_OpensOlderTextAfterRotation(t *testing.T) {
	t.Parallel()
	before := seal.New(keys(t, "old")).Seal(plaintext, owner)
	b := seal.New(keys(t, "new", "older", "old"))
	if !b.NeedsReseal(before) {
		t.Error("what the old key sealed need not be sealed anew")
	}
	plain, err := b.Open(before, owner)
	if err != nil || plain != plaintext {
		t.Fatalf("Open = %q, %v", plain.Reveal(), err)
	}
	after := b.Seal(plain, owner)
	if b.NeedsReseal(after) {
		t.Error("what the new key sealed must be sealed anew")
	}
	if got, err := seal.New(keys(t, "new")).Open(after, owner); err != nil || got != plaintext {
		t.Errorf("without the old key: Open = %q, %v", got.Reveal(), err)
	}
	for _, broken := range [][]byte{nil, after[:seal.Overhead-1], append([]byte{2}, after[1:]...)} {
		if !b.NeedsReseal(broken) {
			t.Errorf("% x passes for sealed with the current key", broken)
		}
	}
}

func TestBox_NeverPrintsItsKeys(t *testing.T) {
	t.Parallel()
	b := seal.New(keys(t, "a"))
	for _, v := range []any{b, struct{ B *seal.Box }{b}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := strings.Trim(fmt.Sprintf(verb, v), "{B:}"); !strings.HasSuffix(got, "[box]") {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
	if got := b.String(); got != "[box]" {
		t.Errorf("String() = %s", got)
	}
}

// FuzzOpen: what opens was sealed here, in exactly these bytes.
func FuzzOpen(f *testing.F) {
	b := seal.New(keys(f, "a"))
	// Sealed once: each process of the fuzzer would make another one.
	box, err := hex.DecodeString("016c756aa5c6a851a27e8a2eecef315c80c6ed9d9063f75d57a7dc8d3b073bf4ff42c345cf8eb6d44d08c9cfd7fb73dd99")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(box, owner)
	f.Add(box[:20], "")
	f.Add([]byte{}, "x")
	f.Fuzz(func(t *testing.T, got []byte, aad string) {
		plain, err := b.Open(got, aad)
		genuine := bytes.Equal(got, box) && aad == owner
		if genuine != (err == nil) || genuine && plain != plaintext || !genuine && !errors.Is(err, seal.ErrOpen) {
			t.Errorf("Open(% x, %q) = %q, %v", got, aad, plain.Reveal(), err)
		}
	})
}

func refused(t *testing.T, b *seal.Box, box []byte, aad string) {
	t.Helper()
	if got, err := b.Open(box, aad); !errors.Is(err, seal.ErrOpen) || got != "" {
		t.Errorf("Open(% x, %q) = %q, %v; want ErrOpen", box, aad, got.Reveal(), err)
	}
}

func swapID(box []byte, id [4]byte) []byte {
	return append(append([]byte{box[0]}, id[:]...), box[5:]...)
}
