package conversation

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// The limits of a session.
const (
	MaxTitle   = 200      // characters
	MaxContext = 64 << 10 // bytes of compact JSON
)

// Errors of sessions.
var (
	ErrNotFound = uid.ErrUnknown
	// ErrTooMany is returned if the user has the maximum number of sessions.
	ErrTooMany  = fault.New(fault.Conflict, "too_many_sessions", "You have the maximum number of sessions. Delete one first.")
	ErrBadTitle = fault.New(fault.Invalid, "invalid_title", "Must be 1 to 200 characters, without control characters.")
)

// An ID identifies a session. It is a UUIDv7 in canonical form, so ids sort by
// creation.
type ID string

// NewID returns a new id.
func NewID() ID { return ID(uid.New()) }

// ParseID parses an id, or returns [ErrNotFound].
func ParseID(s string) (ID, error) {
	u, err := uid.Parse(s)
	return ID(u), err
}

// A Session is a conversation of a user.
type Session struct {
	ID        ID              `json:"id"`
	UserID    account.ID      `json:"user_id"`
	Title     string          `json:"title"`
	Context   document.Object `json:"context"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// ParseTitle returns a title in Unicode NFC without surrounding space.
func ParseTitle(s string) (string, error) {
	s = norm.NFC.String(strings.TrimSpace(s))
	if n := utf8.RuneCountInString(s); n < 1 || n > MaxTitle || !utf8.ValidString(s) ||
		strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return "", ErrBadTitle
	}
	return s, nil
}

// ParseContext parses a context, a JSON object.
func ParseContext(raw json.RawMessage) (document.Object, error) {
	return document.ParseObject(raw, MaxContext)
}
