package desired

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// MaxAppPasswords is the number of app passwords that one user may have at a time.
const MaxAppPasswords = 50

// Errors of app passwords.
var (
	ErrTooManyAppPasswords = fault.New(fault.Conflict, "too_many_app_passwords", "You already have 50 app passwords. Revoke one first.")
	ErrBadAppName          = fault.New(fault.Invalid, "invalid_app_name",
		"Must have 1 to 100 printable ASCII characters; Nextcloud does not show others.")
)

// An AppPasswordID is a UUIDv7 (RFC 9562 section 5.7).
type AppPasswordID string

// NewAppPasswordID returns a new id.
func NewAppPasswordID() AppPasswordID { return AppPasswordID(uid.New()) }

// ParseAppPasswordID parses an id; the error is [uid.ErrUnknown].
func ParseAppPasswordID(s string) (AppPasswordID, error) {
	u, err := uid.Parse(s)
	return AppPasswordID(u), err
}

// An AppPassword opens a user's account in Nextcloud to one of their clients.
type AppPassword struct {
	ID        AppPasswordID
	UserID    account.ID
	Name      string // of the client, chosen by the user
	Sealed    []byte // the app password
	CreatedAt time.Time
}

// A Revocation is an app password that its owner has revoked and that Nextcloud may
// not have deleted yet.
type Revocation struct {
	ID     AppPasswordID
	Sealed []byte
	State  RevocationState
}

// A RevocationState is the progress of a revocation. Nextcloud rejects an app
// password that it has deleted, but also one that was created under an earlier
// password of the account, and that one is valid again after the next login with the
// current password. So a rejection is final only after such a login.
type RevocationState string

// The states.
const (
	RevocationPending RevocationState = "wanted"  // still to be carried out
	RevocationRefused RevocationState = "refused" // rejected by Nextcloud; waits for the next login there
	RevocationRetried RevocationState = "retried" // after a login: still to be carried out, and a rejection is final
)

// ParseAppName checks the name of a client: 1 to 100 printable ASCII characters,
// without spaces at the ends.
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
