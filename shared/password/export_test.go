package password

import "golang.org/x/crypto/bcrypt"

// OnCompare calls seen with each pair that h gives to bcrypt, before it runs.
func OnCompare(h *Hasher, seen func(hash, plain []byte)) {
	h.compare = func(hash, plain []byte) error {
		seen(hash, plain)
		return bcrypt.CompareHashAndPassword(hash, plain)
	}
}
