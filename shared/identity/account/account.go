// Package account holds who may sign in, and the rules about it: ids, e-mail
// addresses, names, roles. It does no I/O; store keeps accounts, functions act
// on them.
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
	MaxName        = 100      // characters; longer ones are nobody's name
	MaxPreferences = 16 << 10 // bytes of compact JSON
)

// Errors of accounts. ErrEmailTaken is what the store returns when two
// registrations race, too.
var (
	ErrNotFound          = uid.ErrUnknown
	ErrEmailTaken        = fault.New(fault.Conflict, "email_taken", "An account with this e-mail address already exists.")
	ErrBadEmail          = fault.New(fault.Invalid, "invalid_email", "Must be an e-mail address such as ada@example.org, of at most 254 bytes.")
	ErrBadName           = fault.New(fault.Invalid, "invalid_name", "Must be at most 100 characters, without control characters.")
	ErrBadRole           = fault.New(fault.Invalid, "invalid_role", `Must be "user" or "admin".`)
	ErrIncorrectPassword = fault.New(fault.Malformed, "incorrect_password", "The current password is wrong.")
	ErrLastAdmin         = fault.New(fault.Conflict, "last_admin", "This is the last enabled administrator. Make another user an administrator first.")
)

// An ID names an account: a UUIDv7 in canonical form.
type ID string

// NewID returns a fresh id.
func NewID() ID { return ID(uid.New()) }

// ParseID returns the id that s spells, or [ErrNotFound].
func ParseID(s string) (ID, error) {
	u, err := uid.Parse(s)
	return ID(u), err
}

// ParsePreferences returns the preferences in raw, a JSON object.
func ParsePreferences(raw json.RawMessage) (document.Object, error) {
	return document.ParseObject(raw, MaxPreferences)
}

// A Role says what an account may do.
type Role string

// The roles.
const (
	User  Role = "user"
	Admin Role = "admin"
)

// ParseRole returns the role that s names, or [ErrBadRole].
func ParseRole(s string) (Role, error) {
	if r := Role(s); r == User || r == Admin {
		return r, nil
	}
	return "", ErrBadRole
}

// An Account is one person who may sign in. The password hash is not part of
// it: only the store and the password check ever hold that.
type Account struct {
	ID              ID
	Email           Email
	LegacyEmail     Email  // of a new account: see [LegacyEmail]; "" for as Email is
	FullName        string // "" when not given
	Role            Role
	Preferences     document.Object
	NextcloudUserID string // "" until the account there is known to be ours

	// NextcloudNeedsPassword: the account there lacks the user's password, and
	// whoever comes to know it shall pass it on. It is read with the hash only.
	NextcloudNeedsPassword bool
	DisabledAt             *time.Time // nil while enabled
	EmailVerifiedAt        *time.Time // nil until the address is verified
	LastLogin              *time.Time // nil until the first one
	CreatedAt              time.Time
	UpdatedAt              time.Time
}

// Disabled reports whether the account may not sign in.
func (a Account) Disabled() bool { return a.DisabledAt != nil }

// Admin reports whether the account may act on other accounts.
func (a Account) Admin() bool { return a.Role == Admin }
