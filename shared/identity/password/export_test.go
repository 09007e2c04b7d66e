package password

import (
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Common returns the common passwords that are refused for being on the list.
func Common() []string { return strings.Split(strings.Trim(commonList(), "\n"), "\n") }

// OnCompare calls seen with each pair that h gives to bcrypt, before it runs.
func OnCompare(h *Hasher, seen func(hash, plain []byte)) {
	h.compare = func(hash, plain []byte) error {
		seen(hash, plain)
		return bcrypt.CompareHashAndPassword(hash, plain)
	}
}
