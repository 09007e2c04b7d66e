// Package apikey defines API keys: credentials that users create for programs.
// A key acts for its user within its scopes, and never for what requires a
// login: passwords, logins, other keys and administration. The package does no
// I/O; the store keeps keys. Begin with [Key] and [New].
package apikey

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// The limits of keys.
const (
	MaxPerUser = 20          // keys, expired ones included, until their owner deletes them
	MaxName    = 100         // characters
	MaxDays    = 3650        // of the lifetime that can be requested
	UseEvery   = time.Minute // how precisely the last use is recorded
)

// Errors of API keys.
var (
	// ErrInvalid is returned for a key that is mistyped, unknown or revoked, or
	// whose account is disabled.
	ErrInvalid     = fault.New(fault.InvalidToken, "invalid_api_key", "The API key is invalid or was revoked.")
	ErrExpired     = fault.New(fault.InvalidToken, "api_key_expired", "The API key has expired. Create a new one.")
	ErrNotAccepted = fault.New(fault.Forbidden, "api_key_not_accepted", "This call does not accept API keys. Log in instead.")
	ErrScope       = fault.New(fault.Forbidden, "insufficient_scope", "The API key does not have the scope for this call.")
	ErrTooMany     = fault.New(fault.Conflict, "too_many_api_keys", "You already have 20 API keys. Delete one first.")
	ErrNotFound    = uid.ErrUnknown

	ErrBadName   = fault.New(fault.Invalid, "invalid_key_name", "Must have 1 to 100 printable characters.")
	ErrBadScopes = fault.New(fault.Invalid, "invalid_scopes",
		"Must list one or more of profile:read, sessions:read, sessions:write, files:read and files:write.")
	ErrBadDays = fault.New(fault.Invalid, "invalid_days", "Must be a whole number of days from 1 to 3650.")
)

// An ID identifies a key. It is a UUIDv7 in canonical form, and no secret.
type ID string

// NewID returns a new id.
func NewID() ID { return ID(uid.New()) }

// ParseID parses an id, or returns [ErrNotFound].
func ParseID(s string) (ID, error) {
	u, err := uid.Parse(s)
	return ID(u), err
}

// A Scope is what a key may do. "" is none.
type Scope string

// The scopes. Write does not include read.
const (
	ProfileRead   Scope = "profile:read"
	SessionsRead  Scope = "sessions:read"
	SessionsWrite Scope = "sessions:write"
	FilesRead     Scope = "files:read"
	FilesWrite    Scope = "files:write"
)

// Scopes are the scopes of a key, sorted and without duplicates.
type Scopes []Scope

// AllScopes returns all scopes.
func AllScopes() Scopes {
	return Scopes{FilesRead, FilesWrite, ProfileRead, SessionsRead, SessionsWrite}
}

// ParseScopes parses the scopes of a new key, or returns [ErrBadScopes].
func ParseScopes(names []string) (Scopes, error) {
	if len(names) == 0 || len(names) > len(AllScopes()) {
		return nil, ErrBadScopes
	}
	scopes := make(Scopes, len(names))
	for i, name := range names {
		if scopes[i] = Scope(name); !slices.Contains(AllScopes(), scopes[i]) {
			return nil, ErrBadScopes
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

// ScopesOf returns the scopes in the text that [Scopes.String] made.
func ScopesOf(text string) Scopes {
	var scopes Scopes
	for name := range strings.FieldsSeq(text) {
		scopes = append(scopes, Scope(name))
	}
	return scopes
}

// String returns the scopes separated by spaces (RFC 6749 section 3.3).
func (s Scopes) String() string {
	names := make([]string, len(s))
	for i, scope := range s {
		names[i] = string(scope)
	}
	return strings.Join(names, " ")
}

// Contains reports whether s contains the scope.
func (s Scopes) Contains(scope Scope) bool { return slices.Contains(s, scope) }

// ParseName parses the name that a user gives a key, or returns [ErrBadName].
func ParseName(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxName || strings.ContainsFunc(s, unprintable) {
		return "", ErrBadName
	}
	return s, nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// ParseDays returns the lifetime of a key that expires in the given number of
// days, or [ErrBadDays].
func ParseDays(days int) (time.Duration, error) {
	if days < 1 || days > MaxDays {
		return 0, ErrBadDays
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// A Key is an API key as the store keeps it, without its secret.
type Key struct {
	ID        ID
	UserID    account.ID
	Name      string
	Prefix    string // the beginning of the secret, by which its owner recognizes it
	Scopes    Scopes
	CreatedAt time.Time
	ExpiresAt *time.Time // nil for never
	LastUsed  *time.Time // at most [UseEvery] before the last use; nil before the first
}

// Expired reports whether the key can no longer be used at now.
func (k Key) Expired(now time.Time) bool { return k.ExpiresAt != nil && !now.Before(*k.ExpiresAt) }

// UseIsNew reports whether a use at now is to be recorded.
func (k Key) UseIsNew(now time.Time) bool {
	return k.LastUsed == nil || now.Sub(*k.LastUsed) >= UseEvery
}
