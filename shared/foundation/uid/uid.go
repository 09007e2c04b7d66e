// Package uid generates and parses the ids of all resources: UUIDv7 (RFC 9562
// section 5.7), which sort by creation time. The ids of accounts, logins and
// conversations are separate string types.
package uid

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// ErrUnknown is the error for an id that is not a UUID. It is the same as for an id
// without a resource.
var ErrUnknown = fault.New(fault.NotFound, "not_found", "The resource does not exist.")

// Length is the number of bytes of a canonical id.
const Length = 36

// New returns a new UUIDv7 in its canonical text form. The ids of one process sort
// in the order of their creation. New is safe for concurrent use.
func New() string {
	return uuid.Must(uuid.NewV7()).String() // fails only without system entropy
}

// Since returns an id that sorts before those that are created at t or later. Ids begin
// with the time in milliseconds (RFC 9562 section 5.7).
func Since(t time.Time) string {
	millis := max(t.UnixMilli(), 0)
	return fmt.Sprintf("%08x-%04x-7000-8000-000000000000", millis>>16, millis&0xffff)
}

// Parse returns the canonical form of s, or [ErrUnknown] unless s is a UUID with
// hyphens. It accepts letters of either case.
func Parse(s string) (string, error) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != Length {
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

// FromBytes returns the canonical id with the given bytes.
func FromBytes(b [16]byte) string { return uuid.UUID(b).String() }
