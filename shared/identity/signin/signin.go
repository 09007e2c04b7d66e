// Package signin defines the rules of logins. A login is one device on which a
// user is logged in: how it starts, which refresh tokens it has, and what a
// refresh token means when it comes back. The package does no I/O and has no
// clock; the store keeps logins.
//
// Refresh tokens are derived from the login rather than stored ([Codec]). A
// rotation is a compare-and-swap on the counter of the login; if it fails,
// [Decide] finds out why. Begin with [Login].
package signin

import (
	"strings"
	"time"
	"unicode"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// How long things last unless configured otherwise.
const (
	DefaultIdle     = 7 * day          // of disuse; each rotation starts it anew
	DefaultAbsolute = 90 * day         // however it is used
	DefaultGrace    = 30 * time.Second // for a client that lost the answer, or two tabs at once
)

const day = 24 * time.Hour

// Lifetimes are how long logins last.
type Lifetimes struct {
	Idle     time.Duration // since the last rotation
	Absolute time.Duration // since the login, even if it is in use; 0 for no limit
}

// Load loads REFRESH_TOKEN_EXPIRE_DAYS and LOGIN_LIFETIME_DAYS, where 0 means no
// limit.
func (l *Lifetimes) Load(r setting.Reader) {
	l.Idle = time.Duration(r.Int("REFRESH_TOKEN_EXPIRE_DAYS", int(DefaultIdle/day), 1, 365)) * day
	l.Absolute = time.Duration(r.Int("LOGIN_LIFETIME_DAYS", int(DefaultAbsolute/day), 0, 3650)) * day
}

// End returns the absolute end of a login that began at the given time, or the
// zero time if there is none.
func (l Lifetimes) End(began time.Time) time.Time {
	if l.Absolute == 0 {
		return time.Time{}
	}
	return began.Add(l.Absolute)
}

const (
	// MaxGrace is the longest grace period that can be configured. The store
	// records uses for as long, so that a change of the setting takes effect at
	// once.
	MaxGrace = 5 * time.Minute
	// MaxUses is how many uses the store records. The default rate limit of
	// refreshes allows fewer within [DefaultGrace].
	MaxUses = 100
)

const (
	maxDevice  = 200 // bytes; browsers send about 120
	maxAddress = 45  // bytes, the longest form of an IPv6 address
)

// ErrNotFound is returned for the id of a login that does not exist, belongs to
// another user or is over.
var ErrNotFound = uid.ErrUnknown

// Errors of refresh tokens that are not accepted.
var (
	ErrInvalidRefresh = fault.New(fault.InvalidToken, "invalid_token", "The token is invalid.")
	ErrExpired        = fault.New(fault.InvalidToken, "token_expired", "The token has expired. Log in again.")
	ErrReused         = fault.New(fault.InvalidToken, "token_reused",
		"The token was used before, so the login was revoked. Log in again.")
	ErrRevoked = fault.New(fault.InvalidToken, "login_revoked", "The login was revoked. Log in again.")
)

// An ID identifies a login. It is a UUIDv7 in canonical form.
type ID string

// NewID returns a new id.
func NewID() ID { return ID(uid.New()) }

// ParseID parses an id, or returns [uid.ErrUnknown].
func ParseID(s string) (ID, error) {
	u, err := uid.Parse(s)
	return ID(u), err
}

// A Login is one device on which a user is logged in.
type Login struct {
	ID        ID
	UserID    account.ID
	Counter   int64 // of the current refresh token; 0 at first, incremented by each rotation
	CreatedAt time.Time
	RotatedAt time.Time   // the last rotation
	Uses      []time.Time // when tokens Counter-1, Counter-2, … were first used, within the last minutes
	ExpiresAt time.Time   // the first moment at which it is over, unless it is used again
	EndsAt    time.Time   // the end even if it is used; the zero time for none
	RevokedAt *time.Time  // nil until revoked
	Device    string      // the name that the client gives itself, see [CleanDevice]
	Address   string      // where it was last used
}

// Start returns a new login of user with these lifetimes. Its times are in UTC
// and in whole microseconds, as the store keeps them.
func Start(user account.ID, userAgent, address string, now time.Time, lasts Lifetimes) Login {
	now = now.UTC().Truncate(time.Microsecond)
	return Login{
		ID:        NewID(),
		UserID:    user,
		CreatedAt: now,
		RotatedAt: now,
		ExpiresAt: now.Add(lasts.Idle),
		EndsAt:    lasts.End(now),
		Device:    CleanDevice(userAgent),
		Address:   clean(address, maxAddress),
	}
}

// Active reports whether the login can be used at now.
func (l Login) Active(now time.Time) bool {
	return l.RevokedAt == nil && now.Before(l.End())
}

// End returns when the login is over unless it is used again.
func (l Login) End() time.Time {
	if !l.EndsAt.IsZero() && l.EndsAt.Before(l.ExpiresAt) {
		return l.EndsAt
	}
	return l.ExpiresAt
}

// CleanDevice returns the name of a device from a User-Agent header, safe to
// show and log: printable UTF-8 of at most 200 bytes, cut between characters.
// It drops characters that are neither printable nor spaces.
func CleanDevice(userAgent string) string { return clean(userAgent, maxDevice) }

func clean(s string, limit int) string {
	if len(s) <= limit && isClean(s) {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "") {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if !unicode.IsPrint(r) || b.Len() == 0 && r == ' ' {
			continue
		}
		if b.Len()+len(string(r)) > limit {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " ")
}

// isClean reports whether s is printable ASCII without a space at either end, as nearly
// all are.
func isClean(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}
