package endpoint

import (
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// A Caller is the user who sent a request, through which login or API key, and
// from where.
// Only an [Authenticator] creates one, so a function with a Caller as parameter
// runs for authenticated requests only.
type Caller struct {
	Account account.Account
	Login   signin.ID // "" with an API key
	Key     apikey.ID // "" with a login
	Origin  audit.Origin

	needsSecondFactor bool // acts only while the account has one
}

// Proof returns the proof that statements which write for c demand.
func (c Caller) Proof() signin.Proof {
	if c.Key != "" {
		return signin.NewKeyProof(c.Account.ID, c.Key)
	}
	p := signin.NewProof(c.Account.ID, c.Login)
	if c.needsSecondFactor {
		p = p.NeedingSecondFactor()
	}
	return p
}

// Event returns an audit event about user that c caused. c is its actor unless
// user is c.
func (c Caller) Event(name audit.Name, user account.ID, now time.Time) audit.Event {
	e := audit.New(name, user, c.Origin, now)
	e.Login = c.Login
	if user != c.Account.ID {
		e.Actor = c.Account.ID
	}
	return e
}

// An Admin is a [Caller] who was an administrator when the request arrived.
type Admin struct{ Caller }

// Proof returns the proof that a is logged in and still an administrator.
func (a Admin) Proof() signin.Proof { return a.Caller.Proof().AsAdmin() }
