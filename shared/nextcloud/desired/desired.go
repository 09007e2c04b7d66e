package desired

import (
	"cmp"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// A State is what an account shall be.
type State string

// The states.
const (
	Present  State = "present"  // there and enabled
	Disabled State = "disabled" // not usable; its files stay
	Absent   State = "absent"   // gone, with its files
)

// A Status is where an account stands, as clients and administrators see it.
type Status string

// The statuses.
const (
	Pending  Status = "pending"  // the wish is not true yet
	Active   Status = "active"   // there, enabled, as wished
	Inactive Status = "disabled" // not usable, as wished
	Conflict Status = "conflict" // an account that is not ours is in the way; it is left alone
	Failed   Status = "failed"   // tried often enough; somebody must look
)

// A Link is how an account in Nextcloud that the gateway did not make became a
// user's. Linking changes nothing in it.
type Link string

// The links.
const (
	NoLink   Link = ""         // the gateway made it, or will
	Adopted  Link = "adopted"  // an administrator said so; the gateway cannot open it
	Claimed  Link = "claimed"  // its owner proved it with a password of the account
	Released Link = "released" // its user is gone: it stays, without what the gateway made in it
)

// ErrBadStatus is what [ParseStatus] returns.
var ErrBadStatus = fault.New(fault.Invalid, "invalid_status",
	"Must be pending, active, disabled, conflict or failed.")

// ParseStatus returns the status that s names; "" is every status.
func ParseStatus(s string) (Status, error) {
	switch st := Status(s); st {
	case "", Pending, Active, Inactive, Conflict, Failed:
		return st, nil
	}
	return "", ErrBadStatus
}

// A Spec is what an account shall be.
type Spec struct {
	State           State
	Email           account.Email
	FullName        string
	Quota           string // the default at the time of the wish, as Nextcloud takes it: "5 GB", "none"
	QuotaOverride   string // takes precedence over Quota, in the same form; [KeepQuota]; "" for the default
	PendingPassword []byte // sealed; waits to be set; nil for none
}

// EffectiveQuota returns the quota that the account shall have, or "" if it is to
// be left as it is.
func (s Spec) EffectiveQuota() string {
	switch s.QuotaOverride {
	case "":
		return s.Quota
	case KeepQuota:
		return ""
	}
	return s.QuotaOverride
}

// An Account is the wish for one account and what is known of it.
type Account struct {
	Spec

	UserID          account.ID
	NextcloudID     string // changes only before it is made, and when another account is linked
	Link            Link
	ConflictID      string // in Nextcloud, of the account that is in the way; "" for none
	Version         int64  // of the wish; each change counts up
	InitialPassword []byte // sealed: the password it is made with, which proves that it is ours; of a claimed one the proof, until an app password is there; [Spent] for none
	CreateAttempted bool   // somebody began to make it with First, so it can be ours
	AppPassword     []byte // sealed: the app password with which we reach its files; nil for none
	Owned           bool   // proved to be ours
	HasUserPassword bool   // the user's own password opens it; else the first one does
	PendingIsSet    bool   // of Password: Nextcloud has it, and it waits for the files to answer
	// WantsPassword: the user's own password is needed, and the next login that
	// brings it shall hand it over.
	WantsPassword bool
	// KeepsEmail and KeepsName: the account was linked, and that of the wish has not
	// changed since, so what the account has stays.
	KeepsEmail, KeepsName bool

	Status       Status
	Attempts     int        // failures in a row
	DueAt        *time.Time // when to try next; nil for nothing to do
	LastError    string     // a stable word; "" for none
	LastSyncedAt *time.Time // when wish and fact last agreed
	LastSetQuota string     // the quota that the gateway set last; "" if the wanted one is still to be set
	Used         *int64     // bytes, when last seen
	Total        *int64     // bytes; nil while unknown or without limit
	UsedAt       *time.Time // when Used and Total were read
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Spent is an [Account.First] that is used up. It opens with no key.
const Spent = "\x00"

// ConflictingID returns the id, in Nextcloud, of the account with which n is in
// conflict, or "" where it is in none.
func (n Account) ConflictingID() string {
	if n.Status != Conflict {
		return ""
	}
	return cmp.Or(n.ConflictID, n.NextcloudID)
}

// An Outcome is what became of one try.
type Outcome struct {
	Owned           bool
	Link            Link
	InitialPassword []byte // sealed, as [Account.First]
	PendingPassword []byte // what still waits; nil once it is set and the files answer
	HasUserPassword bool   // as [Account.Personal]
	// PasswordSet is that of [Account], of the password that was tried.
	PendingIsSet bool
	// WantsPassword is that of [Account], unless the wish changed meanwhile.
	WantsPassword bool
	Status        Status     // unless the wish changed meanwhile
	Attempts      int        //
	DueAt         *time.Time // unless the wish changed meanwhile
	ConflictID    string     // as [Account.ConflictID], with [Conflict]
	LastError     string
	Synced        bool   // wish and fact agree
	LastSetQuota  string // as [Account.SetQuota], unless the wish changed meanwhile; "" leaves it
	Used          *int64 // nil leaves it, Total and UsedAt
	Total         *int64
	UsedAt        *time.Time
}

const (
	maxID    = 64         // characters of a Nextcloud user id
	reserved = "appdata_" // with this begin folders of Nextcloud's own
)

// NextcloudID returns the Nextcloud id for a new account: its e-mail address, with the
// domain in A-labels, where Nextcloud takes it, else the account's own id.
// byEmail false is always the latter.
func NextcloudID(a account.Account, byEmail bool) string {
	email := a.Email.ASCII()
	if byEmail && len(email) <= maxID && strings.IndexFunc(email, refused) < 0 && !strings.HasPrefix(email, reserved) {
		return email
	}
	return string(a.ID)
}

// refused reports characters that Nextcloud takes in no id: it takes
// a-z A-Z 0-9 space _ . @ - '
func refused(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
		!strings.ContainsRune(" _.@-'", r)
}
