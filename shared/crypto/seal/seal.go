// Package seal keeps secrets that must be given back: passwords and tokens for
// other systems, at rest in a database that may be copied. A sealed secret opens
// only with a key of the ring and for the owner that it was sealed for.
//
// A [Box] seals with the current key and opens with any; after a rotation,
// [Box.NeedsReseal] finds what to seal anew before the old key is dropped.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// A sealed secret is the version (1 byte), the key id (4), the nonce (12), the
// ciphertext (as long as the secret) and the tag (16). The first two are
// authenticated as well.
const (
	version   = 1
	headerLen = 5
	nonceLen  = 12
	tagLen    = 16

	// Overhead is how many bytes longer than the secret its sealed form is.
	Overhead = headerLen + nonceLen + tagLen
)

// ErrOpen is what everything gets that does not open: it was damaged, sealed
// with a key that is gone, or for somebody else. Which of them, nobody learns.
var ErrOpen = errors.New("sealed secret does not open")

// A Box seals and opens with AES-256-GCM (NIST SP 800-38D). It is safe for
// concurrent use and does not print itself. Nonces are random, which is good for
// 2^32 secrets a key (section 8.3).
type Box struct{ keys keyring.Keys }

// New returns a box over keys, which are for this purpose alone.
func New(keys keyring.Keys) *Box { return &Box{keys: keys} }

func aead(key keyring.Key) cipher.AEAD {
	block, err := aes.NewCipher(key.Bytes[:])
	if err != nil {
		panic("seal: " + err.Error()) // only for another length than 32 bytes
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error()) // only for a block of another length than 16 bytes
	}
	return gcm
}

// Seal encrypts plain with the current key. The result opens only with the same
// aad, which names the owner and is not secret. Two calls never return the same
// result.
func (b *Box) Seal(plain secret.String, aad string) []byte {
	key := b.keys.Current()
	header := append(make([]byte, 0, Overhead+len(plain)), version)
	header = append(header, key.ID[:]...)
	return aead(key).Seal(header, nil, []byte(plain.Reveal()), bound(header, aad))
}

// Open returns what was sealed, or [ErrOpen].
func (b *Box) Open(box []byte, aad string) (secret.String, error) {
	id, ok := keyID(box)
	key, known := b.keys.ByID(id)
	if !ok || !known {
		return "", ErrOpen
	}
	plain, err := aead(key).Open(nil, nil, box[headerLen:], bound(box[:headerLen], aad))
	if err != nil {
		return "", ErrOpen // err says no more
	}
	return secret.String(plain), nil
}

// NeedsReseal reports whether box was sealed with anything but the current key.
// That it opens, it does not say.
func (b *Box) NeedsReseal(box []byte) bool {
	id, ok := keyID(box)
	return !ok || id != b.keys.Current().ID
}

// keyID returns the id in the header of box, and whether it can be a sealed
// secret at all.
func keyID(box []byte) (id [4]byte, ok bool) {
	if len(box) < Overhead || box[0] != version {
		return id, false
	}
	return [4]byte(box[1:headerLen]), true
}

// bound returns what is authenticated next to the secret. The header has one
// length, so no two pairs read the same.
func bound(header []byte, aad string) []byte {
	return append(header[:headerLen:headerLen], aad...)
}

const redacted = "[box]"

// String hides the keys.
func (b *Box) String() string { return redacted }

// Format hides the keys from every verb; without it, fmt would print the
// ciphers.
func (b *Box) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
