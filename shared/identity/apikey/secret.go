package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// The form of a secret: the mark, random digits and a checksum, both in base 62.
// Secret scanners find it by the pattern va_[0-9A-Za-z]{49}, and tell a key from
// other text by the checksum.
const (
	Mark     = "va_"
	random   = 43 // digits; 256 bits
	checksum = 6  // digits; the 32 bits of CRC-32
	size     = len(Mark) + random + checksum
	shown    = len(Mark) + 8 // characters of [Key.Prefix]; 208 bits stay secret
)

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// A Digest is the SHA-256 hash of a secret. The secret has so many bits that a
// slow hash would add nothing: nobody can try all of them.
type Digest [sha256.Size]byte

// New returns the secret of a new key, its digest, under which it is stored, and
// its prefix.
func New() (plain secret.String, digest Digest, prefix string) {
	text := make([]byte, 0, size)
	text = append(text, Mark...)
	for len(text) < len(Mark)+random {
		var b [64]byte
		rand.Read(b[:])
		for _, n := range b {
			// 248 is a multiple of 62, so every digit is equally likely.
			if n < 248 && len(text) < len(Mark)+random {
				text = append(text, digits[n%62])
			}
		}
	}
	text = append(text, checksumOf(string(text))...)
	return secret.String(text), sha256.Sum256(text), string(text[:shown])
}

// Is reports whether a bearer token is meant to be an API key. An access token is
// not: its first character is e, that of every JWT.
func Is(bearer string) bool { return strings.HasPrefix(bearer, Mark) }

// Parse returns the digest of a secret, or [ErrInvalid] if the checksum does not
// match, as in one that was mistyped or cut off. So typing errors cost no
// statement. The checksum is no defense: anybody can compute it.
func Parse(plain string) (Digest, error) {
	if len(plain) != size || !Is(plain) || checksumOf(plain[:size-checksum]) != plain[size-checksum:] {
		return Digest{}, ErrInvalid
	}
	return sha256.Sum256([]byte(plain)), nil
}

// checksumOf returns the CRC-32 (IEEE) of the text in base 62, the most significant
// digit first.
func checksumOf(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var out [checksum]byte
	for i := range out {
		out[checksum-1-i] = digits[sum%62]
		sum /= 62
	}
	return string(out[:])
}
