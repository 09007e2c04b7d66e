package signin

import (
	"fmt"
	"io"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// ErrAdminRequired is what a caller gets who is not an administrator, or not one
// any more.
var ErrAdminRequired = fault.New(fault.Forbidden, "admin_required", "This requires an administrator.")

// A Proof is what a request has proved about its caller: whose live login it
// speaks for and, where the route asks for more, the role of administrator and a
// password.
//
// Each of these may end while the request is under way. So the statements that
// write for a caller take the Proof and hold only if it still does when they
// write. The zero Proof proves nothing.
type Proof struct {
	user  account.ID
	login ID
	admin bool
	hash  secret.String
}

// NewProof returns the proof that the request speaks for this login of this user.
// Only a check of a token may call it.
func NewProof(user account.ID, login ID) Proof { return Proof{user: user, login: login} }

// AsAdmin returns p for a caller who was found to be an administrator.
func (p Proof) AsAdmin() Proof {
	p.admin = true
	return p
}

// WithPassword returns p for a caller whose password was found to match hash,
// the one that the account had then.
func (p Proof) WithPassword(hash secret.String) Proof {
	p.hash = hash
	return p
}

// User returns the account of the caller, "" for the zero Proof.
func (p Proof) User() account.ID { return p.user }

// Login returns the login that the caller's token belongs to.
func (p Proof) Login() ID { return p.login }

// Admin reports whether the caller acts as an administrator.
func (p Proof) Admin() bool { return p.admin }

// PasswordHash returns the hash that the caller's password matched, "" if the
// request did not prove a password.
func (p Proof) PasswordHash() secret.String { return p.hash }

// Format hides the hash from every verb; fmt would print unexported fields.
func (p Proof) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[proof of "+string(p.user)+"]") }
