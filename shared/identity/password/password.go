// Package password defines which passwords are acceptable, hashes them with
// bcrypt and verifies them.
//
// [Parse] makes a [Password] for a new account or a change of password. A
// [Hasher] hashes it, and verifies the passwords that users enter. bcrypt
// occupies a processor, so the hasher limits how many computations run and how
// many wait. A [Confirmer] confirms the current password of a logged-in user.
// Nothing here prints a password, and no fault quotes one.
//
// The package imports account, signin, breach, audit and ratelimit. Begin with
// [Hasher].
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

// The bounds of the length of a password in NFC.
const (
	MinBytes = 8  // NIST SP 800-63B section 5.1.1.1 requires as many characters
	MaxBytes = 72 // bcrypt ignores the rest
)

// maxInput is the length in bytes above which a password need not be
// normalized: NFC shortens no text to less than a quarter, so the result would
// be too long.
const maxInput = 8 * MaxBytes

// Why a password is not acceptable.
var (
	ErrTooShort = fault.New(fault.Invalid, "password_too_short", "Must be at least 8 bytes long.")
	ErrTooLong  = fault.New(fault.Invalid, "password_too_long", "Must be at most 72 bytes long: 72 ASCII characters, or fewer of other scripts.")
	ErrCommon   = fault.New(fault.Invalid, "password_common", "Is one of the most common passwords. Choose another one.")
	ErrBreached = fault.New(fault.Invalid, "password_breached", "Is known from a breach of another service. Choose another one.")
	ErrIsEmail  = fault.New(fault.Invalid, "password_is_email", "Must not be the e-mail address or the part before its @.")
	ErrInvalid  = fault.New(fault.Invalid, "invalid_password", "Must be UTF-8 text without NUL.")
)

const redacted = "[password]"

// A Password is an acceptable password in Unicode NFC. Only [Parse] makes one;
// the zero value cannot be hashed. It never prints itself.
type Password struct{ plain secret.String }

// Parse returns plain in Unicode NFC, so that it is the same password on every
// keyboard (RFC 8265 section 4.2), or an error if the account with that address
// may not have it. An empty address is not compared.
func Parse(plain string, email account.Email) (Password, error) {
	if len(plain) > maxInput {
		return Password{}, ErrTooLong
	}
	if !utf8.ValidString(plain) || strings.ContainsRune(plain, 0) {
		return Password{}, ErrInvalid // for bcrypt, "a" and "a\x00a" are the same password
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
// without surrounding space.
func fold(plain string) string {
	return norm.NFC.String(strings.ToLower(strings.TrimSpace(plain)))
}

// isEmail reports whether a folded password is the address, in U-labels or
// A-labels, or its local part.
func isEmail(folded string, email account.Email) bool {
	local, _, _ := strings.Cut(string(email), "@")
	return email != "" && (folded == string(email) || folded == email.ASCII() || folded == local)
}

// Reveal returns the password itself. Review every call.
func (p Password) Reveal() secret.String { return p.plain }

// String hides the password.
func (Password) String() string { return redacted }

// GoString hides the password.
func (Password) GoString() string { return redacted }

// Format hides the password from every verb. Without it, fmt would print the
// unexported field.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue hides the password.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the password.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }
