package signin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
)

// Purpose is the purpose for which the keys of a [Codec] are derived.
const Purpose = "refresh token v1"

// The layout of a refresh token, in bytes:
//
//	key id 4 | login id 16 | counter 8, big endian | HMAC-SHA256 32
//
// 60 bytes are exactly 80 characters of base64. There are no spare bits, which
// would allow a second spelling.
const (
	atLogin   = 4
	atCounter = atLogin + 16
	atMAC     = atCounter + 8
	tokenSize = atMAC + sha256.Size
	textSize  = tokenSize / 3 * 4
)

// macLabel separates these HMACs from all others that might be made with a key.
const macLabel = "voiceassist refresh token v1\x00"

// Why a token was refused, for logs only: clients get [ErrInvalidRefresh].
var (
	errForm    = errors.New("not 80 characters of base64url")
	errKey     = errors.New("unknown key id")
	errMAC     = errors.New("wrong HMAC")
	errCounter = errors.New("counter out of range")
)

// A Codec encodes and decodes refresh tokens. They are opaque to clients, and
// derived from the id of the login and its counter, so that the gateway stores
// none and can make the same one again. Decoding costs one HMAC and no I/O. A
// Codec is immutable and safe for concurrent use.
type Codec struct{ keys keyring.Keys }

// NewCodec returns a codec that encodes with the current key and decodes with
// all keys, which must be derived for [Purpose].
func NewCodec(keys keyring.Keys) *Codec { return &Codec{keys: keys} }

// Encode returns the refresh token of a login at a counter, always the same for
// the same key. It panics if id is not canonical or counter is negative, which
// [Start] and [ParseID] rule out.
func (c *Codec) Encode(id ID, counter int64) secret.String {
	login, err := uid.Bytes(string(id))
	if err != nil || counter < 0 {
		panic("signin: encode: not a login id and counter")
	}
	key := c.keys.Current()
	b := make([]byte, 0, tokenSize)
	b = append(b, key.ID[:]...)
	b = append(b, login[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(counter))
	b = append(b, mac(key, b)...)
	return secret.String(base64.RawURLEncoding.EncodeToString(b))
}

// Decode returns the login id and the counter of a token that Encode made with
// one of the keys, and [ErrInvalidRefresh] for any other text. It accepts a
// single spelling: unpadded base64url with nothing around or within it.
func (c *Codec) Decode(raw string) (ID, int64, error) {
	if id := defense.LoginOfAccessToken(raw); id != "" {
		return ID(id), 0, nil
	}
	if len(raw) != textSize { // base64 would skip line breaks, so check the length first
		return "", 0, ErrInvalidRefresh.Because(errForm)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(raw)
	if err != nil || len(b) != tokenSize {
		return "", 0, ErrInvalidRefresh.Because(errForm)
	}
	key, ok := c.keys.ByID([4]byte(b[:atLogin]))
	if !ok {
		return "", 0, ErrInvalidRefresh.Because(errKey)
	}
	if defense.RefreshTokenMAC && !hmac.Equal(b[atMAC:], mac(key, b[:atMAC])) { // constant time
		return "", 0, ErrInvalidRefresh.Because(errMAC)
	}
	counter := binary.BigEndian.Uint64(b[atCounter:atMAC])
	if counter > math.MaxInt64 {
		return "", 0, ErrInvalidRefresh.Because(errCounter)
	}
	return ID(uid.FromBytes([16]byte(b[atLogin:atCounter]))), int64(counter), nil
}

func mac(key keyring.Key, content []byte) []byte {
	h := hmac.New(sha256.New, key.Bytes[:])
	h.Write([]byte(macLabel))
	h.Write(content)
	return h.Sum(nil)
}

// Format hides the keys from every verb. Without it, fmt would print the
// unexported field.
func (c *Codec) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[refresh tokens]") }
