package signin_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

const (
	first  = secret.String("0123456789abcdefghijklmnopqrstuv")
	second = secret.String("vutsrqponmlkjihgfedcba9876543210")
	login  = signin.ID("0198f7a0-7c3b-7d2e-9f11-0123456789ab")
)

func codec(tb testing.TB, current secret.String, previous ...secret.String) *signin.Codec {
	tb.Helper()
	ring, err := keyring.New(current, previous...)
	if err != nil {
		tb.Fatal(err)
	}
	return signin.NewCodec(ring.Derive(signin.Purpose))
}

func TestCodec_RoundTrip(t *testing.T) {
	t.Parallel()
	c := codec(t, first)
	for _, counter := range []int64{0, 1, 255, 1 << 40, math.MaxInt64} {
		token := c.Encode(login, counter)
		id, n, err := c.Decode(token.Reveal())
		if id != login || n != counter || err != nil {
			t.Errorf("Decode(Encode(%s, %d)) = %s, %d, %v", login, counter, id, n, err)
		}
		if again := c.Encode(login, counter); again != token {
			t.Errorf("Encode of counter %d is not deterministic", counter)
		}
	}
}

func TestCodec_FormatIsStable(t *testing.T) {
	t.Parallel()
	// Changing this value ends every existing login.
	const want = "qILhEAGY96B8O30unxEBI0VniasAAAAAAAAAB6d7Iorfm8w-sNz0b7BRNh27labqEzxabJ97L_TIJUop"
	if got := codec(t, first).Encode(login, 7).Reveal(); got != want {
		t.Errorf("Encode = %q, want %q", got, want)
	}
}

func TestCodec_Rotation(t *testing.T) {
	t.Parallel()
	old := codec(t, first).Encode(login, 3).Reveal()
	rotated := codec(t, second, first)
	if id, n, err := rotated.Decode(old); id != login || n != 3 || err != nil {
		t.Errorf("token of the previous secret: got %s, %d, %v", id, n, err)
	}
	if got := rotated.Encode(login, 3); got != codec(t, second).Encode(login, 3) {
		t.Error("a new token is not encoded with the current secret")
	}
	if _, _, err := codec(t, second).Decode(old); !errors.Is(err, signin.ErrInvalidRefresh) {
		t.Errorf("token of a removed secret: got %v, want invalid_token", err)
	}
}

func TestDecode_RejectsForgeries(t *testing.T) {
	t.Parallel()
	c := codec(t, first)
	good := c.Encode(login, 7).Reveal()
	bytes, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	otherPurpose, err := keyring.New(first)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, raw string }{
		{"nothing", ""},
		{"not base64", strings.Repeat("!", 80)},
		{"one character missing", good[:79]},
		{"one character more", good + "A"},
		{"padding", good + "="},
		{"a line break at the end", good + "\n"},
		{"a line break in place of a character", good[:79] + "\n"},
		{"four line breaks in place of the last bytes", good[:76] + "\r\n\r\n"},
		{"the standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(good)},
		{"zero bytes", strings.Repeat("A", 80)},
		{"a valid key ID without an HMAC", base64.RawURLEncoding.EncodeToString(append(bytes[:28:28], make([]byte, 32)...))},
		{"the keys of another purpose", signin.NewCodec(otherPurpose.Derive("another")).Encode(login, 7).Reveal()},
		{"a megabyte", strings.Repeat("A", 1<<20)},
	}
	if !strings.ContainsAny(good, "-_") {
		t.Fatal("the token under test must use the URL alphabet")
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id, n, err := c.Decode(tt.raw)
			if !errors.Is(err, signin.ErrInvalidRefresh) || id != "" || n != 0 {
				t.Errorf("Decode = %q, %d, %v; want invalid_token", id, n, err)
			}
			if f := fault.Of(err); f != nil && f.Kind != fault.InvalidToken {
				t.Errorf("got kind %v, want InvalidToken", f.Kind)
			}
		})
	}
}

func TestDecode_RejectsSingleBitChanges(t *testing.T) {
	t.Parallel()
	c := codec(t, first)
	good := []byte(c.Encode(login, 7).Reveal())
	for i := range len(good) * 8 {
		good[i/8] ^= 1 << (i % 8)
		if _, _, err := c.Decode(string(good)); !errors.Is(err, signin.ErrInvalidRefresh) {
			t.Errorf("with bit %d changed: %v, want invalid_token", i, err)
		}
		good[i/8] ^= 1 << (i % 8)
	}
}

func TestEncode_PanicsOnInvalidLogin(t *testing.T) {
	t.Parallel()
	c := codec(t, first)
	for _, call := range []func(){
		func() { c.Encode("", 0) },
		func() { c.Encode(login, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("Encode of an invalid login did not panic")
				}
			}()
			call()
		}()
	}
}

func TestCodec_NeverPrintsItsKeys(t *testing.T) {
	t.Parallel()
	c := codec(t, first)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, c); got != "[refresh tokens]" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

// FuzzDecode checks that only the output of Encode is ever decoded.
func FuzzDecode(f *testing.F) {
	c := codec(f, first)
	f.Add(c.Encode(login, 0).Reveal())
	f.Add(c.Encode(login, math.MaxInt64).Reveal())
	f.Add(strings.Repeat("A", 80))
	f.Add("")
	f.Fuzz(func(t *testing.T, raw string) {
		id, counter, err := c.Decode(raw)
		if err != nil {
			if !errors.Is(err, signin.ErrInvalidRefresh) || id != "" || counter != 0 {
				t.Errorf("Decode(%q) = %q, %d, %v", raw, id, counter, err)
			}
			return
		}
		if again := c.Encode(id, counter).Reveal(); again != raw {
			t.Errorf("Decode(%q) = %s, %d, which encodes to %q", raw, id, counter, again)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	c := codec(b, first)
	token := c.Encode(login, 7).Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Decode(token); err != nil {
			b.Fatal(err)
		}
	}
}
