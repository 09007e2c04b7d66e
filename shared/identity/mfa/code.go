package mfa

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Digits is the length of a TOTP code. Apps that ignore the parameters of the setup
// use this length, a period of 30 seconds and SHA-1.
const Digits = 6

// BackupCodes is how many backup codes a user has at first.
const BackupCodes = 10

// The alphabet of backup codes has 32 characters, without those that look like
// others. A code has 50 random bits.
const (
	backupAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	backupLength   = 10
)

// A Code is a code that a user has entered: of the app, or a backup code. The zero
// value is never right.
type Code struct {
	digits string // of the app
	backup string // a backup code, without separators
}

// ParseCode returns the code that raw contains. Six digits are a code of the app,
// everything else that has the form of a backup code is one. Spaces, hyphens and the
// letter case make no difference.
func ParseCode(raw secret.String) Code {
	text := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(raw.Reveal()))
	switch {
	case len(text) == Digits && strings.Trim(text, "0123456789") == "":
		return Code{digits: text}
	case len(text) == backupLength && strings.Trim(text, backupAlphabet) == "":
		return Code{backup: text}
	}
	return Code{}
}

// TOTP returns the code of the app, or "" if c is none.
func (c Code) TOTP() secret.String { return secret.String(c.digits) }

// Backup reports whether c is a backup code.
func (c Code) Backup() bool { return c.backup != "" }

// BackupHash returns the hash under which the store keeps the backup code c of the
// factor with this secret.
func (c Code) BackupHash(key secret.String) []byte { return hashBackup(c.backup, key) }

// hashBackup keys the hash with the secret of the factor, which the store keeps
// encrypted. So a copy of the database does not suffice to find a code by trying all.
func hashBackup(code string, key secret.String) []byte {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte("backup code\x00" + code))
	return mac.Sum(nil)
}

// NewBackupCodes returns new backup codes, in the form in which users see them, and
// their hashes.
func NewBackupCodes(key secret.String) (codes []string, hashes [][]byte) {
	for range BackupCodes {
		var random [backupLength]byte
		rand.Read(random[:])
		for i, b := range random {
			random[i] = backupAlphabet[int(b)%len(backupAlphabet)] // 32 divides 256, so all are equally likely
		}
		code := string(random[:])
		codes = append(codes, code[:backupLength/2]+"-"+code[backupLength/2:])
		hashes = append(hashes, hashBackup(code, key))
	}
	return codes, hashes
}

// Format hides the code from every verb.
func (Code) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[code]") }
