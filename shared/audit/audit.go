// Package audit names the events that security reviews ask for, and chains them
// so that the removal or change of one shows. An event is written in the
// transaction of what it tells, so there is no change without its row and no row
// without its change; the package itself does no I/O.
package audit

import (
	"log/slog"
	"slices"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// A Name is what happened, a stable word.
type Name string

// The events.
const (
	Registered Name = "account_registered"
	// RegistrationRefused: somebody registered with the address of the account,
	// and was not told that it is taken.
	RegistrationRefused Name = "registration_refused"
	LoggedIn            Name = "logged_in"
	LoginFailed         Name = "login_failed" // the detail is why: WrongPassword and so on
	// PasswordRefused: somebody who is logged in sent another password than the
	// account's; the detail is what it was to confirm.
	PasswordRefused Name = "password_refused"
	PasswordChanged Name = "password_changed"
	EmailChanged    Name = "email_changed"
	RoleChanged     Name = "role_changed" // the detail is the new role
	Disabled        Name = "account_disabled"
	Enabled         Name = "account_enabled"
	Deleted         Name = "account_deleted"
	LoggedOut       Name = "logged_out"
	LoggedOutAll    Name = "logged_out_everywhere"
	LoginRevoked    Name = "login_revoked"
	RefreshReused   Name = "refresh_token_reused"
	AppIssued       Name = "app_password_issued"
	AppRevoked      Name = "app_password_revoked"
	QuotaChanged    Name = "nextcloud_quota_changed" // the detail is the new quota, "default" or "keep"
	IDTaken         Name = "nextcloud_conflict"      // an account that is not ours has the id or the address in Nextcloud; the detail is its id
	Claimed         Name = "nextcloud_claimed"       // the user proved that an account in Nextcloud is theirs; the detail is its id
	ClaimRefused    Name = "nextcloud_claim_refused" // with a wrong password
	Adopted         Name = "nextcloud_adopted"       // an administrator said whose an account in Nextcloud is; the detail is its id
	// KeysRotated: one step of a rotation; the detail names it and the key, which
	// it is not.
	KeysRotated  Name = "keys_rotated"
	TrailAdopted Name = "audit_adopted" // a broken trail was taken as it is; the detail is what was wrong
)

// Names returns all names, sorted.
func Names() []Name {
	names := []Name{
		Registered, RegistrationRefused, LoggedIn, LoginFailed, PasswordRefused, PasswordChanged, EmailChanged, RoleChanged, Disabled, Enabled, Deleted,
		LoggedOut, LoggedOutAll, LoginRevoked, RefreshReused, AppIssued, AppRevoked, QuotaChanged, IDTaken,
		Claimed, ClaimRefused, Adopted,
		KeysRotated, TrailAdopted,
	}
	slices.Sort(names)
	return names
}

// What a password was to confirm when it was refused.
const (
	ToChangePassword = "to change the password"
	ToChangeEmail    = "to change the e-mail address"
	ToDelete         = "to delete the account"
	ToIssueApp       = "to make an app password"
)

// AllApps is the detail of [AppRevoked] for all app passwords of the user; for
// one, it is its id.
const AllApps = "all"

// Why a login failed. Clients see none of it.
const (
	UnknownAccount  = "unknown account" // the name is not kept: people type passwords there
	WrongPassword   = "wrong password"
	DisabledAccount = "disabled account"
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
	User   account.ID // whom it concerns; "" for nobody we know
	Actor  account.ID // who did it, when that was somebody else; else ""
	Login  signin.ID  // through which login; "" for none
	Detail string     // what else a reviewer needs
	Origin Origin
}

// New returns an event about user.
func New(name Name, user account.ID, origin Origin, now time.Time) Event {
	return Event{ID: uid.New(), At: now, Name: name, User: user, Origin: origin}
}

// Alarming reports whether somebody should look at the event at once.
func (e Event) Alarming() bool { return e.Name == RefreshReused || e.Name == IDTaken }

// LogAttrs returns the event for the log, which has the same facts as the row.
func (e Event) LogAttrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("event", string(e.Name)), slog.String("event_id", e.ID)}
	for _, optional := range []struct{ key, value string }{
		{"user_id", string(e.User)}, {"actor_id", string(e.Actor)}, {"login_id", string(e.Login)},
		{"detail", e.Detail}, {"correlation_id", e.Origin.CorrelationID}, {"address", e.Origin.Address},
		{"device", e.Origin.Device},
	} {
		if optional.value != "" {
			attrs = append(attrs, slog.String(optional.key, optional.value))
		}
	}
	return attrs
}
