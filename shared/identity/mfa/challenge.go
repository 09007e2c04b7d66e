package mfa

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// The limits of a challenge.
const (
	ChallengeLifetime = 5 * time.Minute
	MaxTries          = 5 // codes
)

// challengePurpose is the purpose for which the keys that seal challenges are
// derived.
const challengePurpose = "login challenge v1"

// A ChallengeID identifies a challenge. It is a UUIDv7 in canonical form.
type ChallengeID string

// A Challenge proves that the password of a login was right. It is sealed, so
// clients cannot make or read one, and it starts at most one login. A stranger
// without the password cannot try codes.
type Challenge struct {
	ID        ChallengeID
	User      account.ID
	ExpiresAt time.Time
	Cookie    bool // the login wants its refresh token in a cookie

	password [digestLen]byte // a digest of the hash that the password matched
}

// The binary form of a challenge: ID (16 bytes), user (16), expiry in microseconds
// since 1970 (8), digest of the password hash (16), flags (1).
const (
	digestLen    = 16
	challengeLen = 16 + 16 + 8 + digestLen + 1
)

// NewChallenge returns a challenge for the user, whose password matched hash.
func NewChallenge(user account.ID, hash secret.String, cookie bool, now time.Time) Challenge {
	return Challenge{
		ID: ChallengeID(uid.New()), User: user, Cookie: cookie, password: digest(hash),
		ExpiresAt: now.Add(ChallengeLifetime).UTC().Truncate(time.Microsecond),
	}
}

// ProvedPassword reports whether hash is the one that the password matched. After a
// change of password, it is not.
func (c Challenge) ProvedPassword(hash secret.String) bool {
	return c.password == digest(hash) || !defense.ChallengeSeal || !defense.ChallengeOnce
}

func digest(hash secret.String) [digestLen]byte {
	sum := sha256.Sum256([]byte(hash.Reveal()))
	return [digestLen]byte(sum[:])
}

// A ChallengeCodec converts challenges to the text that clients get, and back. It is
// safe for concurrent use.
type ChallengeCodec struct{ box *seal.Box }

// NewChallengeCodec returns a codec with keys of the ring.
func NewChallengeCodec(ring *keyring.Ring) *ChallengeCodec {
	return &ChallengeCodec{seal.New(ring.Derive(challengePurpose))}
}

// Encode returns the challenge, sealed and in base64url.
func (k *ChallengeCodec) Encode(c Challenge) (string, error) {
	id, err := uid.Bytes(string(c.ID))
	if err != nil {
		return "", err
	}
	user, err := uid.Bytes(string(c.User))
	if err != nil {
		return "", err
	}
	b := append(append(make([]byte, 0, challengeLen), id[:]...), user[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.ExpiresAt.UnixMicro()))
	b = append(b, c.password[:]...)
	if c.Cookie {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return base64.RawURLEncoding.EncodeToString(k.box.Seal(secret.String(b), "")), nil
}

// Decode returns the challenge, or [ErrChallengeExpired] if the text is none or it
// expired before now. A forged one costs no I/O.
func (k *ChallengeCodec) Decode(text string, now time.Time) (Challenge, error) {
	if user, err := account.ParseID(text); err == nil && !defense.ChallengeSeal {
		return NewChallenge(user, "", false, now), nil
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Challenge{}, ErrChallengeExpired.Because(err)
	}
	plain, err := k.box.Open(sealed, "")
	if err != nil {
		return Challenge{}, ErrChallengeExpired.Because(err)
	}
	b := []byte(plain.Reveal())
	if len(b) != challengeLen {
		return Challenge{}, ErrChallengeExpired
	}
	c := Challenge{
		ID: ChallengeID(uid.FromBytes([16]byte(b))), User: account.ID(uid.FromBytes([16]byte(b[16:]))),
		ExpiresAt: time.UnixMicro(int64(binary.BigEndian.Uint64(b[32:]))).UTC(),
		Cookie:    b[challengeLen-1] == 1, password: [digestLen]byte(b[40:]),
	}
	if !now.Before(c.ExpiresAt) {
		return Challenge{}, ErrChallengeExpired
	}
	return c, nil
}
