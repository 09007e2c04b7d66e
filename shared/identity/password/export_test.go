package password

import (
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Common returns the list of common passwords that are refused.
func Common() []string { return strings.Split(strings.Trim(commonList(), "\n"), "\n") }

// OnCompare makes h call seen with each pair that it passes to bcrypt, before bcrypt runs.
func OnCompare(h *Hasher, seen func(hash, plain []byte)) {
	h.compare = func(hash, plain []byte) error {
		seen(hash, plain)
		return bcrypt.CompareHashAndPassword(hash, plain)
	}
}
