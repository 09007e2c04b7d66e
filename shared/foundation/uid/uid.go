// Package uid makes and reads the ids of everything: UUIDv7 (RFC 9562 section
// 5.7), which sort by the time they were made. Account, login and conversation
// ids are types of their own over these strings.
package uid

import (
	"github.com/google/uuid"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// ErrUnknown is what an id that is no UUID gets: it names nothing, like an id
// that was never given out.
var ErrUnknown = fault.New(fault.NotFound, "not_found", "The resource does not exist.")

// New returns a fresh UUIDv7 in its canonical text form. Ids made by one
// process sort in the order they were made. Safe for concurrent use.
func New() string {
	return uuid.Must(uuid.NewV7()).String() // fails only without system entropy
}

// Parse returns the canonical form of s, or [ErrUnknown] unless s is a UUID in
// the hyphenated form; letters of either case are taken.
func Parse(s string) (string, error) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != len(u.String()) {
		return "", ErrUnknown
	}
	return u.String(), nil
}

// Bytes returns the 16 bytes of a canonical id.
func Bytes(id string) ([16]byte, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return u, ErrUnknown.Because(err)
	}
	return u, nil
}

// FromBytes returns the canonical id of 16 bytes.
func FromBytes(b [16]byte) string { return uuid.UUID(b).String() }
