package audit

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// A Name says what happened. Names are stable.
type Name string

// The names of events.
const (
	Registered Name = "account_registered"
	// RegistrationRefused: somebody tried to register with the address of the
	// account. The response does not reveal that the address is registered.
	RegistrationRefused Name = "registration_refused"
	LoggedIn            Name = "logged_in"
	LoginFailed         Name = "login_failed" // the detail is the reason: WrongPassword and so on
	// PasswordRefused: a logged-in user sent a wrong password; the detail is what
	// it should have confirmed.
	PasswordRefused Name = "password_refused"
	PasswordChanged Name = "password_changed"
	// ResetRequested: an administrator, an operator or anybody else asked for a mail with
	// which the user can choose a new password. The address may be of no account.
	ResetRequested Name = "password_reset_requested"
	// Invited: an administrator or an operator sent the user another invitation, which
	// replaces earlier ones. The detail of [Registered] says so of the first one.
	Invited            Name = "invitation_sent"
	InvitationAccepted Name = "invitation_accepted" // the user chose the first password
	EmailChanged       Name = "email_changed"
	// EmailChangeRequested: the address changes once the user confirms the new one.
	EmailChangeRequested Name = "email_change_requested"
	EmailChangeCanceled  Name = "email_change_canceled"
	PasswordReset        Name = "password_reset" // with the link in a mail
	// VerificationRequested: somebody asked for a mail that verifies an address, which may
	// be of no account.
	VerificationRequested Name = "verification_requested"
	EmailVerified         Name = "email_verified"
	EmailRestored         Name = "email_restored"  // the user undid a change of the address
	Disowned              Name = "change_disowned" // the user says "it was not me"; the detail is the kind of the notice
	RoleChanged           Name = "role_changed"    // the detail is the new role
	Disabled              Name = "account_disabled"
	Enabled               Name = "account_enabled"
	Deleted               Name = "account_deleted"
	LoggedOut             Name = "logged_out"
	LoggedOutAll          Name = "logged_out_everywhere"
	LoginRevoked          Name = "login_revoked"
	RefreshReused         Name = "refresh_token_reused"
	// SecondFactorEnabled: from now on, logins require a code.
	SecondFactorEnabled  Name = "second_factor_enabled"
	SecondFactorDisabled Name = "second_factor_disabled"
	// CodeRefused: a wrong code of the second factor; the detail is what it should
	// have confirmed.
	CodeRefused         Name = "second_factor_code_refused"
	BackupCodeUsed      Name = "backup_code_used"      // the detail is what it confirmed, and how many remain
	BackupCodesReplaced Name = "backup_codes_replaced" // the earlier ones are void

	AppIssued    Name = "app_password_issued"
	AppRevoked   Name = "app_password_revoked"
	KeyIssued    Name = "api_key_issued"          // the detail is its name and its scopes
	KeyRevoked   Name = "api_key_revoked"         // the detail is its ID, or AllKeys
	QuotaChanged Name = "nextcloud_quota_changed" // the detail is the new quota, "default" or "keep"
	IDTaken      Name = "nextcloud_conflict"      // another Nextcloud account has the ID or the address; the detail is its ID
	Claimed      Name = "nextcloud_claimed"       // the user proved to own a Nextcloud account; the detail is its ID
	ClaimRefused Name = "nextcloud_claim_refused" // with a wrong password
	Adopted      Name = "nextcloud_adopted"       // an administrator assigned a Nextcloud account to the user; the detail is its ID
	// KeysRotated: one step of a rotation; the detail names the step and the key ID,
	// never the key.
	KeysRotated  Name = "keys_rotated"
	TrailAdopted Name = "audit_adopted" // a broken trail was accepted as it is; the detail is what was wrong
)

// Names returns all names, sorted.
func Names() []Name {
	names := []Name{
		Registered, RegistrationRefused, LoggedIn, LoginFailed, PasswordRefused, PasswordChanged, ResetRequested, Invited, InvitationAccepted, EmailChanged, EmailChangeRequested, EmailChangeCanceled, RoleChanged, Disabled, Enabled, Deleted,
		PasswordReset, VerificationRequested, EmailVerified, EmailRestored, Disowned,
		LoggedOut, LoggedOutAll, LoginRevoked, RefreshReused,
		SecondFactorEnabled, SecondFactorDisabled, CodeRefused, BackupCodeUsed, BackupCodesReplaced, AppIssued, AppRevoked, KeyIssued, KeyRevoked, QuotaChanged, IDTaken,
		Claimed, ClaimRefused, Adopted,
		KeysRotated, TrailAdopted,
	}
	slices.Sort(names)
	return names
}

// ErrUnknownName is the error for the name of no event.
var ErrUnknownName = fault.New(fault.Invalid, "unknown_event", "Must be names of events such as login_failed, separated by commas.")

// ParseNames parses names that are separated by commas, or returns [ErrUnknownName]. The
// result is sorted and has no name twice; it is empty if s is.
func ParseNames(s string) ([]Name, error) {
	if s == "" {
		return nil, nil
	}
	known := Names()
	var names []Name
	for part := range strings.SplitSeq(s, ",") {
		name := Name(part)
		if _, found := slices.BinarySearch(known, name); !found {
			return nil, ErrUnknownName
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// What a rejected password or code should have confirmed.
const (
	ToChangePassword = "to change the password"
	ToChangeEmail    = "to change the e-mail address"
	ToDelete         = "to delete the account"
	ToIssueApp       = "to make an app password"
	ToIssueKey       = "to create an API key"

	ToLogIn               = "to log in"
	ToSetUpSecondFactor   = "to set up a second factor"
	ToEnableSecondFactor  = "to enable the second factor"
	ToDisableSecondFactor = "to disable the second factor"
	ToReplaceBackupCodes  = "to replace the backup codes"
)

// AllApps is the detail of [AppRevoked] for all app passwords of the user. For a
// single one, the detail is its ID.
const AllApps = "all"

// AllKeys is the detail of [KeyRevoked] for all API keys of the user.
const AllKeys = "all"

// Why a login failed. Clients do not see the reason.
const (
	UnknownAccount  = "unknown account" // the name is not stored: people type passwords there
	WrongPassword   = "wrong password"
	DisabledAccount = "disabled account"
	PendingAccount  = "pending account"
	// UnverifiedAddress: the password was right. It is the only reason that clients see.
	UnverifiedAddress = "address not verified"
)

// An Origin is where a request came from, as recorded in the log and in the audit
// trail.
type Origin struct {
	Address       string // the client's address, without port
	Device        string // its User-Agent, sanitized
	CorrelationID string
}

// An Event is one row of the trail. It never contains a secret.
type Event struct {
	ID     string
	At     time.Time
	Name   Name
	User   account.ID // whose account it concerns; "" if unknown
	Actor  account.ID // who did it; "" for the user
	Login  signin.ID  // the login that was used; "" for none
	Detail string     // more for reviewers; see the names
	Origin Origin
}

// New returns an event about user.
func New(name Name, user account.ID, origin Origin, now time.Time) Event {
	return Event{ID: uid.New(), At: now, Name: name, User: user, Origin: origin}
}

// Alarming reports whether the event needs attention at once.
func (e Event) Alarming() bool { return e.Name == RefreshReused || e.Name == IDTaken }

// LogAttrs returns the event as log attributes: the same data as in the row.
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
