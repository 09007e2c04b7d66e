package signin

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
)

// A Decision is what a genuine refresh token means for its login. Its zero value
// is [Unknown].
type Decision int

// The verdicts.
const (
	Unknown Decision = iota // the counter is ahead of ours: nothing can be told; change nothing
	Rotate                  // the current token: give out the next one
	Repeat                  // a used one, within the grace period: give out the current pair
	Reuse                   // a used one, after the grace period: revoke the login
	Revoked                 // the login was ended
	Expired                 // the login was not used for too long, or is too old
)

// Decide says what a genuine token with counter means for l, for a rotation whose
// compare-and-swap did not match. The first that holds decides:
//
//  1. the login is revoked: [Revoked], whatever the token, since it cannot be
//     ended twice;
//  2. it expired (now is at or past its end, grace or not): [Expired], since even a stolen
//     token opens nothing any more;
//  3. the counter is ahead of the login's, or negative: [Unknown]. We signed it,
//     yet our record is older, as after a restored backup; that is nobody's theft;
//  4. it is the login's: [Rotate];
//  5. at most grace has passed since the token was first used: [Repeat], whether
//     or not its successors were used meanwhile. A clock behind the one that
//     noted the use counts as no time passed. Without a grace period no token is
//     good twice;
//  6. else [Reuse].
//
// Nobody can tell a slow client from a thief, so Repeat grants what a token could
// have got before its first use and no more: the current pair, of which there is
// one. First uses do not move, hence once Reuse, always Reuse.
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

// firstUse returns when the token with counter, one before the current, was
// first used. It is unknown where that is longer ago than [MaxGrace], or more
// than [MaxUses] rotations.
func (l Login) firstUse(counter int64) (used time.Time, known bool) {
	switch before := l.Counter - 1 - counter; {
	case before == 0:
		return l.RotatedAt, true // also where an older gateway rotated, which notes no uses
	case before < int64(len(l.Uses)):
		return l.Uses[before], true
	}
	return time.Time{}, false
}

// Err returns what the sender of the token is told, nil for [Rotate] and
// [Repeat].
func (v Decision) Err() error {
	switch v {
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

// String returns the word for v, for logs and test failures.
func (v Decision) String() string {
	switch v {
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
