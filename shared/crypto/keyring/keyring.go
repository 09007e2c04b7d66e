// Package keyring draws every symmetric key of the gateway but that of access
// tokens from one configured secret, with HKDF-SHA256 (RFC 5869): one key for each
// purpose, so that no two uses ever share one, and what leaks from one use says
// nothing about another. Access tokens are signed with a secret as it is, which
// other services know; [ReadData] reads the one that they do not.
//
// Start with [New]. A [Ring] may hold previous secrets next to the current one:
// what they protected is still read, while everything new uses the current
// secret. The package refuses secrets that can be guessed, and none of its
// types prints what it holds.
package keyring

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// The info labels of HKDF-Expand (RFC 5869 section 2.3). Each ends in NUL, which
// no purpose holds, so that no label and purpose read as another pair.
const (
	labelKey = "voiceassist gateway key v1\x00"
	labelID  = "voiceassist gateway key id v1\x00"
)

const redacted = "[keys]"

// A Ring holds the current secret and other ones, as HKDF pseudo-random keys.
// It is safe for concurrent use and changes only by [Ring.Replace].
type Ring struct {
	extracted atomic.Pointer[[][]byte] // one per secret, current first
}

// New returns a ring that writes with current and still reads what the previous
// secrets wrote. It fails where a secret is too weak to be one; the error does
// not quote it. Empty and repeated previous secrets are left out.
func New(current secret.String, previous ...secret.String) (*Ring, error) {
	var extracted [][]byte
	seen := map[secret.String]bool{"": true}
	for i, secret := range append([]secret.String{current}, previous...) {
		if i > 0 && seen[secret] {
			continue
		}
		seen[secret] = true
		if got := weakness(secret); got != "" {
			return nil, fmt.Errorf("secret %d of the key ring %s; it must be %s", i+1, got, Takes)
		}
		// No salt: the secrets are random already, and a salt would have to be kept.
		prk, err := hkdf.Extract(sha256.New, []byte(secret.Reveal()), nil)
		if err != nil {
			return nil, fmt.Errorf("extract secret %d of the key ring: %w", i+1, err)
		}
		extracted = append(extracted, prk)
	}
	r := &Ring{}
	r.extracted.Store(&extracted)
	return r, nil
}

// Replace puts the secrets of fresh in place of those of the ring, and reports
// whether they are others. What was derived before changes with them.
func (r *Ring) Replace(fresh *Ring) (changed bool) {
	now := fresh.extracted.Load()
	before := r.extracted.Swap(now)
	return !slices.EqualFunc(*before, *now, bytes.Equal)
}

// Derive returns the keys for a purpose: one per secret, current first. The same
// secret and purpose always give the same key. A purpose is a constant of the
// caller's, such as "refresh token v1", and holds no NUL.
func (r *Ring) Derive(purpose string) Keys { return Keys{&derivation{ring: r, purpose: purpose}} }

func expand(prk []byte, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, prk, info, size)
	if err != nil {
		panic("keyring: expand: " + err.Error()) // only for more than 8160 bytes
	}
	return out
}

// String hides the secrets.
func (r *Ring) String() string { return redacted }

// Format hides the secrets from every verb; without it, fmt would print
// unexported fields.
func (r *Ring) Format(f fmt.State, _ rune) { hide(f) }

// A Key is one derived key. The id names it openly, beside what it protects, and
// is derived too: it says nothing about the key or the secret.
type Key struct {
	ID    [4]byte
	Bytes [32]byte
}

// String hides the key.
func (Key) String() string { return redacted }

// GoString hides the key.
func (Key) GoString() string { return redacted }

// Format hides the key from every verb, %x and %d too.
func (Key) Format(f fmt.State, _ rune) { hide(f) }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Keys are the keys for one purpose, never none. They follow their ring, and are
// safe for concurrent use.
type Keys struct{ of *derivation }

// A derivation keeps what was derived, until the ring changes.
type derivation struct {
	ring    *Ring
	purpose string
	made    atomic.Pointer[derived]
}

type derived struct {
	from *[][]byte
	keys []Key
}

// All returns the keys, current first.
func (k Keys) All() []Key {
	from := k.of.ring.extracted.Load()
	if made := k.of.made.Load(); made != nil && made.from == from {
		return made.keys
	}
	keys := make([]Key, len(*from))
	for i, prk := range *from {
		copy(keys[i].ID[:], expand(prk, labelID+k.of.purpose, len(keys[i].ID)))
		copy(keys[i].Bytes[:], expand(prk, labelKey+k.of.purpose, len(keys[i].Bytes)))
	}
	k.of.made.Store(&derived{from, keys})
	return keys
}

// Current returns the key to write with.
func (k Keys) Current() Key { return k.All()[0] }

// ByID returns the key to read with, and false where no secret of the ring gives
// that id.
func (k Keys) ByID(id [4]byte) (Key, bool) {
	for _, key := range k.All() {
		if key.ID == id { // not secret, so no constant-time compare
			return key, true
		}
	}
	return Key{}, false
}

// String hides the keys.
func (Keys) String() string { return redacted }

// Format hides the keys from every verb.
func (Keys) Format(f fmt.State, _ rune) { hide(f) }

// hide cannot report a failed write: neither can fmt.
func hide(f fmt.State) { _, _ = io.WriteString(f, redacted) }
