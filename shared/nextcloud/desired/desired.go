package desired

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// A State says whether an account should exist and be usable.
type State string

// The states.
const (
	Present  State = "present"  // exists and is enabled
	Disabled State = "disabled" // exists and is not usable; its files stay
	Absent   State = "absent"   // does not exist, nor do its files
)

// A Status is the progress of an account, as clients and administrators see it.
type Status string

// The statuses.
const (
	Pending  Status = "pending"  // does not agree with the desired state yet
	Active   Status = "active"   // exists and is enabled, as desired
	Inactive Status = "disabled" // is not usable, as desired
	Conflict Status = "conflict" // conflicts with an account that the gateway does not own and leaves alone
	Failed   Status = "failed"   // failed too often; needs an administrator
)

// A Link is how an account in Nextcloud that the gateway did not create became a
// user's. Linking changes nothing in it.
type Link string

// The links.
const (
	NoLink   Link = ""         // the gateway created the account, or will
	Adopted  Link = "adopted"  // an administrator linked it; the gateway cannot open it
	Claimed  Link = "claimed"  // its owner proved it with a password of the account
	Released Link = "released" // its user was deleted: it remains, without the gateway's app passwords
)

// Statuses returns all statuses.
func Statuses() []Status { return []Status{Pending, Active, Inactive, Conflict, Failed} }

// ErrBadStatus is the error of [ParseStatus].
var ErrBadStatus = fault.New(fault.Invalid, "invalid_status",
	"Must be pending, active, disabled, conflict or failed.")

// ParseStatus parses a status; "" stands for all of them.
func ParseStatus(s string) (Status, error) {
	if st := Status(s); st == "" || slices.Contains(Statuses(), st) {
		return st, nil
	}
	return "", ErrBadStatus
}

// A Spec is the desired state of one account.
type Spec struct {
	State           State
	Email           account.Email
	FullName        string
	Quota           string // the default when the spec was written, as [quota.Parse] reads it: "5 GB", "none"
	QuotaOverride   string // takes precedence over Quota, in the same form; [KeepQuota]; "" for none
	PendingPassword []byte // sealed; the user's password, until Nextcloud has it; nil for none
}

// EffectiveQuota returns the quota that the account should have, or "" to leave it
// as it is.
func (s Spec) EffectiveQuota() string {
	switch s.QuotaOverride {
	case "":
		return s.Quota
	case KeepQuota:
		return ""
	}
	return s.QuotaOverride
}

// An Account is the desired state of one account and what is known about it.
// Credentials are sealed, see [NewBox].
type Account struct {
	Spec

	UserID      account.ID
	NextcloudID string // changes only before the account is created, and when another one is linked
	Link        Link
	ConflictID  string // in Nextcloud, of the conflicting account; "" for none
	Version     int64  // of the spec; each change increments it
	// InitialPassword is the password with which the account is created. It proves
	// that the account is the gateway's. For a claimed account it is the password of
	// the claim, until there is an app password. [Spent] is none.
	InitialPassword []byte
	CreateAttempted bool   // the account may have been created with InitialPassword
	AppPassword     []byte // with which the gateway reaches the files; nil for none
	Owned           bool   // proved to be the gateway's
	HasUserPassword bool   // the user's password opens it; otherwise InitialPassword does
	PendingIsSet    bool   // Nextcloud has PendingPassword, which stays stored until the files can be reached
	WantsPassword   bool   // the next login of the user supplies the password
	KeepsEmail      bool   // a linked account keeps its e-mail address
	KeepsName       bool   // a linked account keeps its name; both until the user changes them in the gateway
	Held            bool   // not created before the user's address is verified

	Status       Status
	Attempts     int        // failures in a row
	DueAt        *time.Time // of the next attempt; nil if there is nothing to do
	LastError    string     // a stable code; "" for none
	LastSyncedAt *time.Time // when Nextcloud last agreed with the spec
	LastSetQuota string     // the quota that the gateway set last; "" if the effective one is still to be set
	Used         *int64     // bytes, when last seen
	Total        *int64     // bytes; nil if unknown or unlimited
	UsedAt       *time.Time // when Used and Total were read
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Spent is an [Account.InitialPassword] that was discarded. No key opens it.
const Spent = "\x00"

// ConflictingID returns the id in Nextcloud of the account with which n conflicts,
// or "".
func (n Account) ConflictingID() string {
	if n.Status != Conflict {
		return ""
	}
	return cmp.Or(n.ConflictID, n.NextcloudID)
}

// An Outcome is the result of one attempt to make an account agree with its spec.
// Fields with the names of those of [Account] replace them; those marked with (v)
// only if the spec has not changed meanwhile.
type Outcome struct {
	Owned           bool
	Link            Link
	InitialPassword []byte
	PendingPassword []byte // (v) nil once Nextcloud has it and the files can be reached
	HasUserPassword bool
	PendingIsSet    bool       // of the password that was pending at the start
	WantsPassword   bool       // (v)
	Status          Status     // (v)
	Attempts        int        // (v)
	DueAt           *time.Time // (v)
	ConflictID      string
	LastError       string
	Synced          bool       // Nextcloud agrees with the spec
	LastSetQuota    string     // (v) "" leaves it
	Used            *int64     // nil leaves Used, Total and UsedAt
	Total           *int64     //
	UsedAt          *time.Time //
}

const (
	maxID          = 64         // characters of a Nextcloud user id
	reservedPrefix = "appdata_" // of Nextcloud's internal folders
)

// NextcloudID returns the id in Nextcloud for a new account: its e-mail address,
// with the domain in A-labels (RFC 5890 section 2.3.2.1), if byEmail is true and
// Nextcloud accepts it, and otherwise the id of the account.
func NextcloudID(a account.Account, byEmail bool) string {
	email := a.Email.ASCII()
	if byEmail && len(email) <= maxID && strings.IndexFunc(email, invalidInID) < 0 && !strings.HasPrefix(email, reservedPrefix) {
		return email
	}
	return string(a.ID)
}

// invalidInID reports whether Nextcloud rejects the character in ids. It accepts
// a-z A-Z 0-9 space _ . @ - '
func invalidInID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
		!strings.ContainsRune(" _.@-'", r)
}
