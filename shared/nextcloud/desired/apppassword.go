package desired

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// MaxAppPasswords is how many app passwords one user may have at a time.
const MaxAppPasswords = 50

// Errors of app passwords.
var (
	ErrTooManyAppPasswords = fault.New(fault.Conflict, "too_many_app_passwords", "You already have 50 app passwords. Revoke one first.")
	ErrBadAppName          = fault.New(fault.Invalid, "invalid_app_name",
		"Must have 1 to 100 printable ASCII characters; Nextcloud does not show others.")
)

// An AppPasswordID is a UUIDv7.
type AppPasswordID string

// NewAppPasswordID returns a new id.
func NewAppPasswordID() AppPasswordID { return AppPasswordID(uid.New()) }

// ParseAppPasswordID returns the id that s spells, or [uid.ErrUnknown].
func ParseAppPasswordID(s string) (AppPasswordID, error) {
	u, err := uid.Parse(s)
	return AppPasswordID(u), err
}

// An AppPassword opens a user's account in Nextcloud to a client of theirs.
type AppPassword struct {
	ID        AppPasswordID
	UserID    account.ID
	Name      string // of the client, as the user calls it
	Sealed    []byte
	CreatedAt time.Time
}

// A Revocation is an app password that its owner took back, until Nextcloud has
// deleted it.
type Revocation struct {
	ID     AppPasswordID
	Sealed []byte
	State  RevocationState
}

// A RevocationState is how far a revocation is. Nextcloud refuses an app password
// that it has deleted, but also one that was made under another password of the
// account, and that one opens the account again once somebody signs in with the
// present password. So a refusal is believed only after such a sign-in.
type RevocationState string

// The states.
const (
	RevocationPending RevocationState = "wanted"  // to be carried out
	RevocationRefused RevocationState = "refused" // Nextcloud refuses it; nothing to do until somebody signs in there
	RevocationRetried RevocationState = "retried" // somebody has signed in since: to be carried out, a refusal is final
)

// ParseAppName checks the name of a client.
func ParseAppName(s string) (string, error) {
	if s == "" || len(s) > 100 || s[0] == ' ' || s[len(s)-1] == ' ' {
		return "", ErrBadAppName
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return "", ErrBadAppName
		}
	}
	return s, nil
}
