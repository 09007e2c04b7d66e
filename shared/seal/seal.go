// Package seal keeps secrets that must be given back: AES-256-GCM (NIST SP
// 800-38D) under keys of a keyring. A stolen database without the configured
// secret opens none of them.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/keyring"
)

// The layout of a box, in bytes:
//
//	version 1 | key id 4 | nonce 12 | ciphertext and tag
const (
	version   = 1
	atKey     = 1
	atNonce   = atKey + 4
	atText    = atNonce + nonceSize
	nonceSize = 12
)

// ErrOpen is returned for whatever does not open: not a box, changed, sealed
// for something else or under a key that is gone.
var ErrOpen = errors.New("the box does not open")

// A Box seals under the current key and opens under all. It is immutable and
// safe for concurrent use. A nonce is random: one key is good for some four
// billion boxes (SP 800-38D section 8.3).
type Box struct{ keys keyring.Keys }

// New returns a box with these keys.
func New(keys keyring.Keys) *Box { return &Box{keys: keys} }

// Seal returns plain in a box that opens for the same additional data only,
// such as the id of the row that keeps it.
func (b *Box) Seal(plain config.Secret, aad string) ([]byte, error) {
	key := b.keys.Current()
	gcm, err := open(key)
	if err != nil {
		return nil, err
	}
	box := append([]byte{version}, key.ID[:]...)
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	box = append(box, nonce...)
	return gcm.Seal(box, nonce, []byte(plain.Reveal()), additional(box[:atNonce], aad)), nil
}

// Open returns what was sealed, or [ErrOpen].
func (b *Box) Open(box []byte, aad string) (config.Secret, error) {
	key, ok := b.key(box)
	if !ok {
		return "", ErrOpen
	}
	gcm, err := open(key)
	if err != nil {
		return "", err
	}
	plain, err := gcm.Open(nil, box[atNonce:atText], box[atText:], additional(box[:atNonce], aad))
	if err != nil {
		return "", ErrOpen
	}
	return config.Secret(plain), nil
}

// NeedsReseal reports whether the box is under another key than the current.
func (b *Box) NeedsReseal(box []byte) bool {
	key, ok := b.key(box)
	return ok && key.ID != b.keys.Current().ID
}

func (b *Box) key(box []byte) (keyring.Key, bool) {
	if len(box) < atText || box[0] != version {
		return keyring.Key{}, false
	}
	return b.keys.ByID([4]byte(box[atKey:atNonce]))
}

// additional binds the head of the box, too.
func additional(head []byte, aad string) []byte {
	return append(head[:len(head):len(head)], aad...)
}

func open(key keyring.Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key.Bytes[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
