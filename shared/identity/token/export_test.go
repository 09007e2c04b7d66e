package token

import (
	"crypto"
	"encoding/base64"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Open checks a signature as Verify does, with one key, and accepts the given headers and
// any payload, because public test vectors bring their own.
func Open(algorithm string, key crypto.PublicKey, headers []string, raw string) ([]byte, error) {
	s := &keySet{method: jwt.GetSigningMethod(algorithm), byHeader: map[string]verifier{}}
	for _, header := range headers {
		s.byHeader[base64.RawURLEncoding.EncodeToString([]byte(header))] = verifier{key: key}
	}
	v, err := s.verifierOf(raw)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, jwt.ErrTokenMalformed
	}
	parser := new(Keys).parser(s, time.Now())
	signature, err := parser.DecodeSegment(parts[2])
	if err != nil {
		return nil, err
	}
	if err := s.method.Verify(parts[0]+"."+parts[1], signature, v.key); err != nil {
		return nil, err
	}
	return parser.DecodeSegment(parts[1])
}

const MaxVerified = maxVerified

// Verified returns how many verified tokens the keys remember.
func Verified(k *Keys) int {
	v := &k.set.Load().verified
	return len(v.recent) + len(v.former)
}
