package linktoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
)

// KeyPurpose is the purpose for which the keys of a [Codec] are derived.
const KeyPurpose = "link token v1"

// The layout of a token, in bytes:
//
//	key id 4 | token id 16 | expiry 8, seconds since 1970, big endian | HMAC-SHA256 32
//
// 60 bytes are exactly 80 characters of base64, with no spare bits.
const (
	atID      = 4
	atExpiry  = atID + 16
	atMAC     = atExpiry + 8
	tokenSize = atMAC + sha256.Size
	textSize  = tokenSize / 3 * 4
)

// macLabel separates these HMACs from all others that might be made with a key.
const macLabel = "voiceassist link token v1\x00"

// Why a token was refused, for logs only: clients get [ErrBad].
var (
	errForm    = errors.New("not 80 characters of base64url")
	errKey     = errors.New("unknown key id")
	errMAC     = errors.New("wrong HMAC")
	errExpired = errors.New("expired")
)

// A Codec encodes and decodes tokens. Decoding costs one HMAC and no I/O, so a forged
// token never reaches the database. A Codec is immutable and safe for concurrent use.
type Codec struct{ keys keyring.Keys }

// NewCodec returns a codec that encodes with the current key of the ring, and decodes
// with all.
func NewCodec(ring *keyring.Ring) *Codec { return &Codec{keys: ring.Derive(KeyPurpose)} }

// Encode returns the token with that id and purpose, which works until expires, in
// whole seconds. It panics if id is not canonical, which [New] rules out.
func (c *Codec) Encode(id ID, p Purpose, expires time.Time) secret.String {
	raw, err := uid.Bytes(string(id))
	if err != nil {
		panic("linktoken: encode: not a token id")
	}
	key := c.keys.Current()
	b := make([]byte, 0, tokenSize)
	b = append(b, key.ID[:]...)
	b = append(b, raw[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(expires.Unix()))
	b = append(b, mac(key, p, b)...)
	return secret.String(base64.RawURLEncoding.EncodeToString(b))
}

// Decode returns the id of a token of that purpose which has not expired. It returns
// [ErrBad] for any other text, for a token of another purpose, and for an expired one.
func (c *Codec) Decode(raw secret.String, p Purpose, now time.Time) (ID, error) {
	text := raw.Reveal()
	if len(text) != textSize { // base64 would skip line breaks, so check the length first
		return "", ErrBad.Because(errForm)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != tokenSize {
		return "", ErrBad.Because(errForm)
	}
	key, ok := c.keys.ByID([4]byte(b[:atID]))
	if !ok {
		return "", ErrBad.Because(errKey)
	}
	if defense.LinkTokenMAC && defense.LinkTokenPurpose && !hmac.Equal(b[atMAC:], mac(key, p, b[:atMAC])) { // constant time
		return "", ErrBad.Because(errMAC)
	}
	if defense.LinkTokenExpiry && uint64(now.Unix()) >= binary.BigEndian.Uint64(b[atExpiry:atMAC]) {
		return "", ErrBad.Because(errExpired)
	}
	return ID(uid.FromBytes([16]byte(b[atID:atExpiry]))), nil
}

func mac(key keyring.Key, p Purpose, content []byte) []byte {
	h := hmac.New(sha256.New, key.Bytes[:])
	h.Write([]byte(macLabel + string(p) + "\x00"))
	h.Write(content)
	return h.Sum(nil)
}

// Format hides the keys from every verb. Without it, fmt would print the unexported
// field.
func (c *Codec) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[link tokens]") }
