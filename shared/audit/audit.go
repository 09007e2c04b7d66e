// Package audit names the events that security reviews ask for. An event is
// written in the transaction of what it tells, so there is no change without
// its row and no row without its change.
package audit

import (
	"time"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/uid"
)

// A Name is what happened, a stable word.
type Name string

// The events.
const (
	Registered Name = "account_registered"
	// RegistrationRefused: somebody registered with the address of the account,
	// and was not told that it is taken.
	RegistrationRefused Name = "registration_refused"
	PasswordChanged     Name = "password_changed"
	EmailChanged        Name = "email_changed"
	RoleChanged         Name = "role_changed"
	Disabled            Name = "account_disabled"
	Enabled             Name = "account_enabled"
	Deleted             Name = "account_deleted"
	LoggedOut           Name = "logged_out"
	LoggedOutAll        Name = "logged_out_everywhere"
	LoginRevoked        Name = "login_revoked"
	RefreshReused       Name = "refresh_token_reused"
	AppIssued           Name = "app_password_issued"
	AppRevoked          Name = "app_password_revoked"
)

// An Origin is where a request came from, as the log and the audit trail keep
// it.
type Origin struct {
	Address       string // the client's address, without port
	Device        string // its User-Agent, cleaned
	CorrelationID string
}

// An Event is one row of the trail. It never holds a secret.
type Event struct {
	ID     string
	At     time.Time
	Name   Name
	User   account.ID // whom it concerns
	Actor  account.ID // who did it, when that was somebody else; else ""
	Login  signin.ID  // through which login; "" for none
	Detail string     // what else a reviewer needs
	Origin Origin
}

// New returns an event about user.
func New(name Name, user account.ID, origin Origin, now time.Time) Event {
	return Event{ID: uid.New(), At: now, Name: name, User: user, Origin: origin}
}
