// Package signin holds the rules of one signed-in device, a "login": when it
// starts, what its refresh tokens look like, and what a refresh token that comes
// back means. It does no I/O and has no clock; store keeps logins.
//
// A refresh token is derived from the login, not stored ([Codec]). Rotation is a
// compare-and-swap on the login's counter; where that does not match, [Decide]
// says why.
package signin

import (
	"strings"
	"time"
	"unicode"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/fault"
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
	Idle     time.Duration // from the last rotation on
	Absolute time.Duration // from the sign-in on, however it is used; 0 for no end
}

// ReadLifetimes reads REFRESH_TOKEN_EXPIRE_DAYS (7) and LOGIN_LIFETIME_DAYS (90;
// 0 for none).
func ReadLifetimes(env *config.Env) Lifetimes {
	return Lifetimes{
		Idle:     time.Duration(env.Int("REFRESH_TOKEN_EXPIRE_DAYS", int(DefaultIdle/day), 1, 365)) * day,
		Absolute: time.Duration(env.Int("LOGIN_LIFETIME_DAYS", int(DefaultAbsolute/day), 0, 3650)) * day,
	}
}

// End returns the end of a login that began at the time given, however it is
// used; the zero time for none.
func (l Lifetimes) End(began time.Time) time.Time {
	if l.Absolute == 0 {
		return time.Time{}
	}
	return began.Add(l.Absolute)
}

const (
	// MaxGrace is the longest grace period that may be configured. Uses within it
	// are remembered, so that another setting holds at once.
	MaxGrace = 5 * time.Minute
	// MaxUses is how many uses are remembered. The default limit of refreshes of
	// one login lets through fewer in [DefaultGrace].
	MaxUses = 100
)

const (
	maxDevice  = 200 // bytes; browsers send some 120
	maxAddress = 45  // bytes; the longest text of an IPv6 address
)

// ErrNotFound is what the id of a login gets that is not there, not the user's,
// or over.
var ErrNotFound = uid.ErrUnknown

// What a refresh token that is not accepted gets.
var (
	ErrInvalidRefresh = fault.New(fault.InvalidToken, "invalid_token", "The token is invalid.")
	ErrExpired        = fault.New(fault.InvalidToken, "token_expired", "The token has expired. Log in again.")
	ErrReused         = fault.New(fault.InvalidToken, "token_reused",
		"The token was used before, so the login was revoked. Log in again.")
	ErrRevoked = fault.New(fault.InvalidToken, "login_revoked", "The login was revoked. Log in again.")
)

// An ID names a login: a UUIDv7 in canonical form.
type ID string

// NewID returns a fresh id.
func NewID() ID { return ID(uid.New()) }

// ParseID returns the id that s spells, or [uid.ErrUnknown].
func ParseID(s string) (ID, error) {
	u, err := uid.Parse(s)
	return ID(u), err
}

// A Login is one device that somebody signed in on.
type Login struct {
	ID        ID
	UserID    account.ID
	Counter   int64 // of the refresh token that is good now; 0 at first, one more at each rotation
	CreatedAt time.Time
	RotatedAt time.Time   // the last rotation
	Uses      []time.Time // when tokens Counter-1, Counter-2, … were first used; those of the last minutes
	ExpiresAt time.Time   // the end unless used again; at this moment it is over
	EndsAt    time.Time   // the end however it is used; the zero time for none
	RevokedAt *time.Time  // nil while it may be used
	Device    string      // what the client calls itself, see [CleanDevice]
	Address   string      // where it was used last
}

// Start returns a new login of user from now on, for as long as the lifetimes
// say. Times are in UTC and whole microseconds, as the store keeps them.
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

// Active reports whether the login may be used at now.
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

// CleanDevice returns what a User-Agent header calls the device, fit to be shown
// and logged: printable UTF-8 of at most 200 bytes, whole characters only. What
// is neither printable nor a space is left out.
func CleanDevice(userAgent string) string { return clean(userAgent, maxDevice) }

func clean(s string, limit int) string {
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
