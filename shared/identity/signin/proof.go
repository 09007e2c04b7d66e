package signin

import (
	"fmt"
	"io"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
)

// ErrAdminRequired is returned to callers who are not, or no longer,
// administrators.
var ErrAdminRequired = fault.New(fault.Forbidden, "admin_required", "This requires an administrator.")

// ErrReauthenticationRequired is returned if a request must prove the password,
// because the login began too long ago.
var ErrReauthenticationRequired = fault.New(fault.Forbidden, "reauthentication_required",
	"This requires the password, unless you have just logged in. Send it as current_password.")

// ReauthenticationWindow is how long after a login some requests that would
// otherwise require the password do not.
const ReauthenticationWindow = 10 * time.Minute

// ErrSecondFactorRequired is returned to administrators without a second factor
// where they must have one.
var ErrSecondFactorRequired = fault.New(fault.Forbidden, "second_factor_required",
	"Administrators need a second factor here. Set one up with POST /api/auth/2fa/setup.")

// A Proof is what a request has proved about its caller: the live login and its
// user and, if the route requires more, the administrator role, the password and
// the second factor. In place of a login, it may be an API key, which never proves
// more.
//
// All of it may cease to hold while the request is handled. Statements that
// write for a caller therefore take the Proof, and write nothing unless it
// still holds at that moment. The zero Proof proves nothing.
type Proof struct {
	user  account.ID
	login ID
	key   apikey.ID
	admin bool
	hash  secret.String
	code  bool // of the second factor
	fresh bool // the login gave the password a moment ago

	secondFactor bool // the account must have a second factor
}

// NewProof returns the proof that a request speaks for this login of this user.
// Call it only after checking a token.
func NewProof(user account.ID, login ID) Proof { return Proof{user: user, login: login} }

// NewKeyProof returns the proof that a request speaks for this API key of this
// user. Call it only after checking the key and its scopes.
func NewKeyProof(user account.ID, key apikey.ID) Proof { return Proof{user: user, key: key} }

// AsAdmin returns p for a caller who was an administrator.
func (p Proof) AsAdmin() Proof {
	p.admin = true
	return p
}

// WithPassword returns p for a caller whose password matched hash, the present
// hash of the account.
func (p Proof) WithPassword(hash secret.String) Proof {
	p.hash = hash
	return p
}

// WithCode returns p for a caller who sent a right code of the second factor.
func (p Proof) WithCode() Proof {
	p.code = true
	return p
}

// AsFresh returns p for a caller whose login began, with the password, no longer
// than [ReauthenticationWindow] ago.
func (p Proof) AsFresh() Proof {
	p.fresh = true
	return p
}

// NeedingSecondFactor returns p for a caller who may only act while the account has
// a second factor.
func (p Proof) NeedingSecondFactor() Proof {
	p.secondFactor = true
	return p
}

// NeedsSecondFactor reports whether the account must have a second factor.
func (p Proof) NeedsSecondFactor() bool { return p.secondFactor }

// User returns the account of the caller, or "" for the zero Proof.
func (p Proof) User() account.ID { return p.user }

// Login returns the login of the caller's token, or "" for an API key.
func (p Proof) Login() ID { return p.login }

// Key returns the API key of the caller, or "" for a login.
func (p Proof) Key() apikey.ID { return p.key }

// Admin reports whether the caller acts as an administrator.
func (p Proof) Admin() bool { return p.admin }

// PasswordHash returns the hash that the caller's password matched, or "" if
// the request proved no password.
func (p Proof) PasswordHash() secret.String { return p.hash }

// Code reports whether the caller sent a right code of the second factor.
func (p Proof) Code() bool { return p.code }

// Reauthenticated reports whether the caller proved the password, with this request
// or a moment ago with the login.
func (p Proof) Reauthenticated() bool { return p.fresh || p.hash != "" }

// Format hides the hash from every verb. Without it, fmt would print unexported
// fields.
func (p Proof) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[proof of "+string(p.user)+"]") }
