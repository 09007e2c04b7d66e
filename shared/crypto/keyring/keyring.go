// Package keyring derives symmetric keys from one configured secret with HKDF-SHA256
// (RFC 5869). Each purpose has its own key: if one leaks, the others stay secret.
// Only access tokens are signed with a secret directly, as other services verify
// them with it; [Settings] are the secrets that those services need not know.
//
// A [Ring] may contain previous secrets beside the current one. Data that they
// protect can still be read; everything new uses the current secret. The package
// refuses weak secrets, and none of its types prints a secret or a key.
//
// Begin with [New].
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

// The info labels of HKDF-Expand (RFC 5869 section 2.3). Each ends in NUL, which no
// purpose contains, so that two pairs of label and purpose are never equal.
const (
	labelKey = "voiceassist gateway key v1\x00"
	labelID  = "voiceassist gateway key id v1\x00"
)

const redacted = "[keys]"

// A Ring contains the current secret and others, as HKDF pseudo-random keys. It is
// safe for concurrent use. Only [Ring.Replace] changes it.
type Ring struct {
	extracted atomic.Pointer[[][]byte] // one per secret, current first
}

// New returns a ring that writes with the current secret, and reads what any of the
// secrets wrote. It returns an error if a secret is weak; the error does not quote
// it. Empty and repeated previous secrets are ignored.
func New(current secret.String, previous ...secret.String) (*Ring, error) {
	var extracted [][]byte
	seen := map[secret.String]bool{"": true}
	for i, secret := range append([]secret.String{current}, previous...) {
		if i > 0 && seen[secret] {
			continue
		}
		seen[secret] = true
		if got := weakness(secret); got != "" {
			return nil, fmt.Errorf("secret %d of the key ring %s; it must be %s", i+1, got, takes)
		}
		// No salt: the secrets are random already, and a salt would have to be stored.
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

// Replace replaces the secrets of the ring with those of fresh, and reports whether
// they differ. [Keys] that were derived before follow.
func (r *Ring) Replace(fresh *Ring) (changed bool) {
	now := fresh.extracted.Load()
	before := r.extracted.Swap(now)
	return !slices.EqualFunc(*before, *now, bytes.Equal)
}

// Derive returns the keys for a purpose: one for each secret, current first. The same
// secret and purpose always give the same key. A purpose is a constant of the
// caller, such as "refresh token v1", without NUL.
func (r *Ring) Derive(purpose string) Keys { return Keys{&derivation{ring: r, purpose: purpose}} }

func expand(prk []byte, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, prk, info, size)
	if err != nil {
		panic("keyring: expand: " + err.Error()) // only if size exceeds 8160 bytes
	}
	return out
}

// String returns a placeholder instead of the secrets.
func (r *Ring) String() string { return redacted }

// Format prints a placeholder for every verb. Without it, fmt would print
// unexported fields.
func (r *Ring) Format(f fmt.State, _ rune) { hide(f) }

// A Key is one derived key. Its ID is public, and is stored beside the data that the
// key protects. The ID is derived, too: it reveals nothing about the key or the
// secret.
type Key struct {
	ID    [4]byte
	Bytes [32]byte
}

// String returns a placeholder instead of the key.
func (Key) String() string { return redacted }

// GoString returns a placeholder instead of the key.
func (Key) GoString() string { return redacted }

// Format prints a placeholder for every verb, also for %x and %d.
func (Key) Format(f fmt.State, _ rune) { hide(f) }

// LogValue returns a placeholder instead of the key.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder instead of the key.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Keys are the keys for one purpose; there is always at least one. They change with
// their ring, and are safe for concurrent use.
type Keys struct{ of *derivation }

// A derivation caches the derived keys until the ring changes.
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

// ByID returns the key with the ID, to read with. It returns false if no secret of
// the ring has it.
func (k Keys) ByID(id [4]byte) (Key, bool) {
	for _, key := range k.All() {
		if key.ID == id { // the ID is public, so the comparison need not take constant time
			return key, true
		}
	}
	return Key{}, false
}

// String returns a placeholder instead of the keys.
func (Keys) String() string { return redacted }

// Format prints a placeholder for every verb.
func (Keys) Format(f fmt.State, _ rune) { hide(f) }

// hide writes the placeholder. It ignores errors, as fmt does.
func hide(f fmt.State) { _, _ = io.WriteString(f, redacted) }
