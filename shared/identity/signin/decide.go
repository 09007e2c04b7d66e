package signin

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
)

// A Decision is what a genuine refresh token means for its login. Its zero
// value is [Unknown].
type Decision int

// The decisions.
const (
	Unknown Decision = iota // the counter is ahead of the login's: refuse the token, change nothing
	Rotate                  // the current token: issue the next one
	Repeat                  // a used token within the grace period: issue the current one
	Reuse                   // a used token after the grace period: revoke the login
	Revoked                 // the login was revoked
	Expired                 // the login was idle for too long, or is too old
)

// Decide returns what a genuine token with counter means for l, after its
// rotation by compare-and-swap has failed. The first of these rules that
// applies decides:
//
//  1. The login is revoked: [Revoked], whatever the token, since a login cannot be revoked twice.
//  2. The login has expired (now is at or after its end, grace or not): [Expired], since even a stolen token is useless now.
//  3. The counter is ahead of the login's, or negative: [Unknown]. The gateway signed the token, so its record must be older, as after a restored backup. That is no theft.
//  4. The counter is the login's: [Rotate].
//  5. At most grace has passed since the first use of the token: [Repeat], whether or not its successors have been used. A clock behind the one that recorded the use counts as no time passed. Without a grace period, no token is accepted twice.
//  6. Otherwise: [Reuse].
//
// Nobody can distinguish a slow client from a thief. So Repeat grants what the
// token could have got before its first use, and no more: the current pair, of
// which there is only one. The time of a first use never changes, so a token
// that was Reuse once stays Reuse.
func Decide(l Login, counter int64, now time.Time, grace time.Duration) Decision {
	switch {
	case l.RevokedAt != nil:
		return Revoked
	case !now.Before(l.End()):
		return Expired
	case counter > l.Counter || counter < 0:
		return Unknown
	case counter == l.Counter:
		return Rotate
	case grace > 0:
		if used, known := l.firstUse(counter); known && now.Sub(used) <= grace {
			return Repeat
		}
	}
	if !defense.RefreshTokenReuse {
		return Repeat
	}
	return Reuse
}

// firstUse returns when an earlier token, with counter, was first used. It is
// unknown if that was longer ago than [MaxGrace] or than [MaxUses] rotations.
func (l Login) firstUse(counter int64) (used time.Time, known bool) {
	switch before := l.Counter - 1 - counter; {
	case before == 0:
		return l.RotatedAt, true // older versions, which do not record uses, set it as well
	case before < int64(len(l.Uses)):
		return l.Uses[before], true
	}
	return time.Time{}, false
}

// Err returns the error for the sender of the token, or nil for [Rotate] and
// [Repeat].
func (d Decision) Err() error {
	switch d {
	case Rotate, Repeat:
		return nil
	case Reuse:
		return ErrReused
	case Revoked:
		return ErrRevoked
	case Expired:
		return ErrExpired
	case Unknown:
	}
	return ErrInvalidRefresh
}

// String returns the name of the decision, for logs and tests.
func (d Decision) String() string {
	switch d {
	case Rotate:
		return "rotate"
	case Repeat:
		return "repeat"
	case Reuse:
		return "reuse"
	case Revoked:
		return "revoked"
	case Expired:
		return "expired"
	case Unknown:
	}
	return "unknown"
}
