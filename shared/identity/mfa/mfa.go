// Package mfa defines the rules of second factors: time-based one-time passwords
// (TOTP, RFC 6238) from an app, and backup codes. A factor has an ID and a sealed
// secret. A login with the right password of an account with a second factor gets a
// [Challenge]; the code that answers it starts the login.
//
// The package does no I/O and has no clock. The store keeps factors, and package
// codes checks codes. Begin with [Factor].
package mfa

import (
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// The limits of guessing. A random guess of a TOTP code is right with a probability
// of three in a million, as three time steps are accepted.
const (
	MaxWrongCodes   = 10        // for each account within [WrongCodeWindow]
	WrongCodeWindow = time.Hour // sliding
)

// Errors of second factors.
var (
	// ErrBadCode is for callers who are logged in: a response 401 would make
	// clients forget the login.
	ErrBadCode = fault.New(fault.Malformed, "bad_code", "The code is wrong, or was used before.")
	// ErrBadLoginCode is the response to a wrong code of a login.
	ErrBadLoginCode     = fault.New(fault.Unauthenticated, "bad_code", "The code is wrong, or was used before.")
	ErrCodeRequired     = fault.New(fault.Forbidden, "code_required", "The account has a second factor. Send a code of it, too, as code.")
	ErrTooManyCodes     = fault.New(fault.RateLimited, "too_many_codes", "Too many wrong codes for this account. Retry after the time in Retry-After.")
	ErrAlreadyEnabled   = fault.New(fault.Conflict, "already_enabled", "The account has a second factor already. Disable it first.")
	ErrNotEnabled       = fault.New(fault.Conflict, "second_factor_not_enabled", "The account has no second factor.")
	ErrNotSetUp         = fault.New(fault.Conflict, "second_factor_not_set_up", "There is no second factor to verify. Set it up first.")
	ErrChallengeExpired = fault.New(fault.Unauthenticated, "challenge_expired", "The login has expired, or was answered too often. Log in again.")
)

// Purpose is the purpose for which the keys that seal secrets are derived.
const Purpose = "second factor v1"

// NewBox returns the box that seals the secrets of factors.
func NewBox(ring *keyring.Ring) *seal.Box { return seal.New(ring.Derive(Purpose)) }

// An ID identifies one setup of a second factor. It is a UUIDv7 in canonical form.
type ID string

// NewID returns a new id.
func NewID() ID { return ID(uid.New()) }

// A Factor is the second factor of a user.
type Factor struct {
	ID         ID
	User       account.ID
	Sealed     []byte      // the secret of the codes, in base32 and encrypted; bound to the user
	EnabledAt  *time.Time  // nil until the user has proved that the app has the secret
	LastStep   int64       // the time step of the last accepted code; no code of an earlier one is accepted
	WrongCodes []time.Time // newest first, at most [MaxWrongCodes]
	CreatedAt  time.Time
}

// Enabled reports whether logins require the factor.
func (f Factor) Enabled() bool { return f.EnabledAt != nil }

// Wait returns how long no code of the factor is checked: until fewer than
// [MaxWrongCodes] came within [WrongCodeWindow]. It is 0 if one may be checked now.
func (f Factor) Wait(now time.Time) time.Duration {
	if len(f.WrongCodes) < MaxWrongCodes {
		return 0
	}
	return max(0, f.WrongCodes[MaxWrongCodes-1].Add(WrongCodeWindow).Sub(now))
}
