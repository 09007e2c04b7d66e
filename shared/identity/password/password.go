// Package password says which passwords are good, and turns them into bcrypt
// hashes and back into yes or no, without letting the hashes take the machine.
//
// [Parse] makes a [Password] for an account that gets a new one. A [Hasher]
// hashes it and verifies what is typed at login; bcrypt is work for the CPU, so
// its gate bounds how many run and how many wait. Nothing here prints a
// password, and no fault quotes one.
package password

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// The length of a password after normalisation.
const (
	MinBytes = 8  // NIST SP 800-63B section 5.1.1.1 asks for as many characters
	MaxBytes = 72 // bcrypt looks at no more
)

// maxInput bounds what is worth normalising, in bytes. NFC shortens no text to
// less than a quarter, so whatever is longer is too long in any case.
const maxInput = 8 * MaxBytes

// What is wrong with a password.
var (
	ErrTooShort = fault.New(fault.Invalid, "password_too_short", "Must be at least 8 bytes long.")
	ErrTooLong  = fault.New(fault.Invalid, "password_too_long", "Must be at most 72 bytes long: 72 ASCII characters, or fewer of other scripts.")
	ErrCommon   = fault.New(fault.Invalid, "password_common", "Is one of the most common passwords. Choose another one.")
	ErrIsEmail  = fault.New(fault.Invalid, "password_is_email", "Must not be the e-mail address or the part before its @.")
	ErrInvalid  = fault.New(fault.Invalid, "invalid_password", "Must be UTF-8 text without NUL.")
)

const redacted = "[password]"

// A Password is one that an account may have, in Unicode NFC. Only [Parse]
// makes one; the zero value is none, and is not hashed. It does not print
// itself.
type Password struct{ plain secret.String }

// Parse returns plain in Unicode NFC, so that it is the same password from
// every keyboard (RFC 8265 section 4.2), or says in which way the account with
// that address may not have it. With an empty address that rule is left out.
func Parse(plain string, email account.Email) (Password, error) {
	if len(plain) > maxInput {
		return Password{}, ErrTooLong
	}
	if !utf8.ValidString(plain) || strings.ContainsRune(plain, 0) {
		return Password{}, ErrInvalid // to bcrypt, "a" and "a\x00a" are one password
	}
	plain = norm.NFC.String(plain)
	switch {
	case len(plain) < MinBytes:
		return Password{}, ErrTooShort
	case len(plain) > MaxBytes:
		return Password{}, ErrTooLong
	}
	folded := fold(plain)
	switch {
	case isEmail(folded, email):
		return Password{}, ErrIsEmail
	case isCommon(folded):
		return Password{}, ErrCommon
	}
	return Password{plain: secret.String(plain)}, nil
}

// fold returns plain as the rules compare it: in lower case and Unicode NFC,
// without space around.
func fold(plain string) string {
	return norm.NFC.String(strings.ToLower(strings.TrimSpace(plain)))
}

// isEmail reports whether folded is the address, in U- or A-labels, or its local
// part.
func isEmail(folded string, email account.Email) bool {
	local, _, _ := strings.Cut(string(email), "@")
	return email != "" && (folded == string(email) || folded == email.ASCII() || folded == local)
}

// Reveal returns the password for those who must pass it on. Every call is a
// place to review.
func (p Password) Reveal() secret.String { return p.plain }

// String hides the password.
func (Password) String() string { return redacted }

// GoString hides the password.
func (Password) GoString() string { return redacted }

// Format hides the password from every verb; without it, fmt would print the
// unexported field.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the password.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the password.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }
