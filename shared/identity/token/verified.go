package token

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxVerified bounds each of the two generations of [verifiedTokens]. An entry
// takes about 400 bytes.
const maxVerified = 4096

// verifiedTokens remembers the claims of tokens that were verified, by the hash
// of the token: clients send the same token for minutes, and verifying it each
// time takes a sixth of the CPU time of a short request. It holds only valid
// tokens. It is safe for concurrent use.
type verifiedTokens struct {
	mu             sync.Mutex
	recent, former map[tokenHash]Claims // former are dropped when recent are full
}

type tokenHash [sha256.Size]byte

func hashOf(raw string) tokenHash {
	text := make([]byte, 0, 1024) // not on the heap, unlike a conversion
	return sha256.Sum256(append(text, raw...))
}

// claims returns the claims of raw if it was verified and its times are valid
// at now.
func (v *verifiedTokens) claims(hash tokenHash, now time.Time) (Claims, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, ok := v.recent[hash]
	if !ok {
		if c, ok = v.former[hash]; !ok {
			return Claims{}, false
		}
		v.put(hash, c)
	}
	return c, now.Before(c.ExpiresAt.Add(ExpiryLeeway)) && !c.IssuedAt.After(now.Add(IssuedAtLeeway))
}

// add remembers the claims of a verified token.
func (v *verifiedTokens) add(hash tokenHash, c Claims) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(hash, c)
}

func (v *verifiedTokens) put(hash tokenHash, c Claims) {
	if v.recent == nil || len(v.recent) >= maxVerified {
		v.recent, v.former = map[tokenHash]Claims{}, v.recent
	}
	v.recent[hash] = c
}
