// Package seal encrypts secrets that the gateway must be able to read again, such as
// passwords and tokens for other systems, so that a copy of the database does not
// reveal them. Decryption requires a key of the ring and the name of the owner.
//
// A [Box] seals with the current key, and opens with any key. After a rotation,
// [Box.NeedsReseal] finds the values to seal again before the old key is removed.
//
// Begin with [Box.Seal].
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

// A sealed secret consists of the version (1 byte), the key ID (4), the nonce (12),
// the ciphertext (as long as the secret) and the tag (16). Version and key ID are
// authenticated, too.
const (
	version   = 1
	headerLen = 5
	nonceLen  = 12
	tagLen    = 16

	// Overhead is the number of bytes that sealing adds to a secret.
	Overhead = headerLen + nonceLen + tagLen
)

// ErrOpen is returned for a value that cannot be opened: it is damaged, was sealed
// with a key that is gone, or belongs to another owner. The error does not reveal
// which.
var ErrOpen = errors.New("sealed secret does not open")

// A Box seals and opens with AES-256-GCM (NIST SP 800-38D). It is safe for
// concurrent use, and never prints its keys. Nonces are random, which is safe for
// 2^32 secrets per key (section 8.3).
type Box struct{ keys keyring.Keys }

// New returns a box that uses the keys. Nothing else may use them.
func New(keys keyring.Keys) *Box { return &Box{keys: keys} }

func aead(key keyring.Key) cipher.AEAD {
	block, err := aes.NewCipher(key.Bytes[:])
	if err != nil {
		panic("seal: " + err.Error()) // only if the key does not have 32 bytes
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error()) // only if the block size is not 16 bytes
	}
	return gcm
}

// Seal encrypts plain with the current key. The result opens only with the same
// aad (additional authenticated data), which names the owner and is not secret. Two
// calls never return the same result.
func (b *Box) Seal(plain secret.String, aad string) []byte {
	key := b.keys.Current()
	header := append(make([]byte, 0, Overhead+len(plain)), version)
	header = append(header, key.ID[:]...)
	return aead(key).Seal(header, nil, []byte(plain.Reveal()), bound(header, aad))
}

// Open returns the sealed secret, or [ErrOpen].
func (b *Box) Open(box []byte, aad string) (secret.String, error) {
	id, ok := keyID(box)
	key, known := b.keys.ByID(id)
	if !ok || !known {
		return "", ErrOpen
	}
	plain, err := aead(key).Open(nil, nil, box[headerLen:], bound(box[:headerLen], aad))
	if err != nil {
		return "", ErrOpen // err has no more information
	}
	return secret.String(plain), nil
}

// NeedsReseal reports whether box was not sealed with the current key. It does not
// check whether box opens.
func (b *Box) NeedsReseal(box []byte) bool {
	id, ok := keyID(box)
	return !ok || id != b.keys.Current().ID
}

// keyID returns the key ID in the header of box. ok is false if box cannot be a
// sealed secret.
func keyID(box []byte) (id [4]byte, ok bool) {
	if len(box) < Overhead || box[0] != version {
		return id, false
	}
	return [4]byte(box[1:headerLen]), true
}

// bound returns the additional authenticated data: header and aad. The header has a
// fixed length, so the concatenation is unambiguous.
func bound(header []byte, aad string) []byte {
	return append(header[:headerLen:headerLen], aad...)
}

const redacted = "[box]"

// String returns a placeholder instead of the keys.
func (b *Box) String() string { return redacted }

// Format prints a placeholder for every verb. Without it, fmt would print
// unexported fields.
func (b *Box) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }
