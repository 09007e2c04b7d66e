// Package password decides what is a good password, and hashes and checks
// passwords with bcrypt behind a gate that bounds how many run at once.
//
// [Parse] makes a [Password]; a [Hasher] does the rest.
package password

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/fault"
)

// The limits of a password, in bytes of UTF-8 after normalisation.
const (
	MinLength = 8  // NIST SP 800-63B section 3.1.1.2
	MaxLength = 72 // what bcrypt looks at
)

// What is wrong with a password that is refused.
var (
	ErrTooShort = fault.New(fault.Invalid, "password_too_short", "Must be at least 8 bytes long.")
	ErrTooLong  = fault.New(fault.Invalid, "password_too_long", "Must be at most 72 bytes long.")
	ErrInvalid  = fault.New(fault.Invalid, "invalid_password", "Must be UTF-8 text without NUL.")
	ErrEmail    = fault.New(fault.Invalid, "password_is_email", "Must not be the e-mail address.")
	ErrCommon   = fault.New(fault.Invalid, "password_common", "Is one of the most common passwords; choose another.")
)

// A Password is one that may be set. It does not print itself.
type Password struct{ plain config.Secret }

// Parse returns plain, in Unicode NFC so that every keyboard gives the same
// bytes, as a password for the account with that address. It refuses what
// [MinLength] and [MaxLength] do, the address or the part of it before the @,
// and the 20,000 most common passwords, in any case. It asks for no classes of
// characters (NIST SP 800-63B section 3.1.1.2).
func Parse(plain string, email account.Email) (Password, error) {
	p := norm.NFC.String(plain)
	lower := strings.ToLower(p)
	local, _, _ := strings.Cut(string(email), "@")
	switch {
	case !utf8.ValidString(plain) || strings.ContainsRune(p, 0):
		return Password{}, ErrInvalid
	case len(p) < MinLength:
		return Password{}, ErrTooShort
	case len(p) > MaxLength:
		return Password{}, ErrTooLong
	case email != "" && (lower == string(email) || lower == local):
		return Password{}, ErrEmail
	case common(lower):
		return Password{}, ErrCommon
	}
	return Password{config.Secret(p)}, nil
}

// Reveal returns the text, in NFC. Every call is a place to review.
func (p Password) Reveal() string { return p.plain.Reveal() }

// String hides the password.
func (p Password) String() string { return p.plain.String() }

// Format hides the password from every verb.
func (p Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.plain.String()) }

// The list is that of Django, made by Royce Williams from leaked passwords; its
// licence lies beside it.
//
//go:embed common-passwords.txt.gz
var packed []byte

// list is unpacked at first use, one password a line; most functions never
// need it.
var list = sync.OnceValue(func() []byte { //nolint:gochecknoglobals // a cache
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic("password: the embedded list: " + err.Error())
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic("password: the embedded list: " + err.Error())
	}
	return append([]byte{'\n'}, text...)
})

// common reports whether lower, in lower case, stands on the list. A line break
// could match two lines at once, so such a password is not looked up.
func common(lower string) bool {
	return !strings.ContainsRune(lower, '\n') && bytes.Contains(list(), []byte("\n"+lower+"\n"))
}

// ErrMismatch is returned by [Hasher.Verify] for a wrong password and for an
// account that does not exist. It is told to the caller by the function, in
// its own words.
var ErrMismatch = errors.New("the password does not match")
