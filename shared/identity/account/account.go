// Package account defines user accounts and their rules: ids, e-mail addresses,
// names, roles. It does no I/O and imports foundation packages only; the store
// keeps accounts. Begin with [Account] and [ParseEmail].
package account

import (
	"encoding/json"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
)

// The limits of what an account holds.
const (
	MaxEmail       = 254      // bytes, with the domain in A-labels; the longest path of RFC 5321 section 4.5.3.1.3
	MaxName        = 100      // characters
	MaxPreferences = 16 << 10 // bytes of compact JSON
)

// Errors of accounts. The store, too, returns ErrEmailTaken, when two
// registrations race.
var (
	ErrNotFound          = uid.ErrUnknown
	ErrEmailTaken        = fault.New(fault.Conflict, "email_taken", "An account with this e-mail address already exists.")
	ErrBadEmail          = fault.New(fault.Invalid, "invalid_email", "Must be an e-mail address such as ada@example.org, of at most 254 bytes.")
	ErrBadName           = fault.New(fault.Invalid, "invalid_name", "Must be at most 100 characters, without control characters.")
	ErrBadRole           = fault.New(fault.Invalid, "invalid_role", `Must be "user" or "admin".`)
	ErrDisabled          = fault.New(fault.Conflict, "account_disabled", "The account is disabled. Enable it first.")
	ErrIncorrectPassword = fault.New(fault.Malformed, "incorrect_password", "The current password is wrong.")
	ErrNotPending        = fault.New(fault.Conflict, "not_pending", "The account has been in use, so there is no invitation to send. Reset the password instead.")
	ErrLastAdmin         = fault.New(fault.Conflict, "last_admin", "This is the last enabled administrator. Make another user an administrator first.")
)

// An ID identifies an account. It is a UUIDv7 in canonical form.
type ID string

// NewID returns a new id.
func NewID() ID { return ID(uid.New()) }

// ParseID parses an id, or returns [ErrNotFound].
func ParseID(s string) (ID, error) {
	u, err := uid.Parse(s)
	return ID(u), err
}

// ParsePreferences parses preferences, a JSON object.
func ParsePreferences(raw json.RawMessage) (document.Object, error) {
	return document.ParseObject(raw, MaxPreferences)
}

// A Role is the set of permissions of an account.
type Role string

// The roles.
const (
	User  Role = "user"
	Admin Role = "admin"
)

// ParseRole parses a role, or returns [ErrBadRole].
func ParseRole(s string) (Role, error) {
	if r := Role(s); r == User || r == Admin {
		return r, nil
	}
	return "", ErrBadRole
}

// An Account is a user who may log in. It does not contain the password hash,
// which only the store and the password check handle.
type Account struct {
	ID              ID
	Email           Email
	LegacyEmail     Email  // of a new account, see [LegacyEmail]; "" if it equals Email
	FullName        string // optional
	Role            Role
	Preferences     document.Object
	NextcloudUserID string // "" until the gateway owns the account in Nextcloud

	// NextcloudNeedsPassword means that the account in Nextcloud does not have the
	// user's password yet: the next login passes it on. The store sets it only
	// together with the hash.
	NextcloudNeedsPassword bool
	// Pending means that the account has no password, so nobody can log in: its user has
	// not accepted the invitation yet, or has to reset the password. It follows from the
	// hash, so setting a password ends it.
	Pending bool

	DisabledAt      *time.Time   // nil while enabled
	EmailVerifiedAt *time.Time   // nil until the address is verified
	PendingEmail    Email        // replaces Email once it is confirmed; "" for none
	Verification    Verification // of the rules when the user registered
	SecondFactorAt  *time.Time   // since when logins require a second factor; nil if they do not
	LastLogin       *time.Time   // nil before the first login
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Disabled reports whether the account may not log in.
func (a Account) Disabled() bool { return a.DisabledAt != nil }

// SecondFactor reports whether logins require a second factor.
func (a Account) SecondFactor() bool { return a.SecondFactorAt != nil }

// Unused reports whether nobody has ever had access to the account: its user was invited
// or imported, and has not chosen a password. Unlike that, an account whose user undid a
// change is pending, too, but may have a second factor.
func (a Account) Unused() bool { return a.Pending && a.LastLogin == nil && !a.SecondFactor() }

// Admin reports whether the account may manage other accounts.
func (a Account) Admin() bool { return a.Role == Admin }
