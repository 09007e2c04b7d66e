package userfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
)

// Why a record is not imported.
var (
	errNotUTF8   = errors.New("not UTF-8")
	errNoEmail   = errors.New("email: is missing")
	errNotObject = errors.New("not a JSON object")
	errNoUser    = errors.New("the account of a service, or one that was deleted") // Read leaves it out
)

// columnName returns the name of a column in its canonical form.
func columnName(s string) string { return strings.ToLower(strings.Trim(s, " \t\r\"")) }

// fields are the values of a record by the names of their columns, which those of JSON
// members share. An empty value is none.
type fields map[string]string

// first returns the first value that is not empty.
func (f fields) first(names ...string) string {
	for _, name := range names {
		if v := strings.TrimSpace(f[name]); v != "" {
			return v
		}
	}
	return ""
}

// record returns the record of a row. Systems that call the same thing differently do
// not call different things the same, so one list of names serves all; only the role
// of Supabase is that of the database.
func (f fields) record(format Format, now time.Time) (r Record) {
	if f.first("deleted_at") != "" {
		r.Err = errNoUser
		return r
	}
	r.setEmail(f.first("email"))
	r.setName(f.first("full_name", "name"), f.first("first_name"), f.first("last_name"))
	r.setHash(f.first("password_hash", "hashed_password", "encrypted_password"))
	r.CreatedAt = f.time(&r, "created_at")
	r.VerifiedAt = f.verified(&r, now)
	if bannedUntil := f.time(&r, "banned_until"); bannedUntil.After(now) {
		r.Disabled = true
	}
	if f.first("is_active") != "" && !f.bool(&r, "is_active") || f.bool(&r, "disabled") {
		r.Disabled = true
	}
	r.Admin = f.bool(&r, "is_superuser") || f.bool(&r, "is_admin")
	if role := f.first("role"); role != "" && (format == CSV || format == JSONLines) {
		parsed, err := account.ParseRole(role)
		r.wrong("role", err)
		r.Admin = r.Admin || parsed == account.Admin
	}
	r.setPreferences(f.first("preferences"))
	return r
}

// verified returns since when the address is verified; now if only that is known.
func (f fields) verified(r *Record, now time.Time) *time.Time {
	for _, name := range []string{"email_verified_at", "email_confirmed_at"} {
		if t := f.time(r, name); !t.IsZero() {
			return &t
		}
	}
	if f.bool(r, "is_verified") || f.bool(r, "email_verified") {
		return &now
	}
	return nil
}

// time parses a time as RFC 3339, PostgreSQL and SQLite write it; without a zone, it is
// in UTC. It returns the zero time for no value.
func (f fields) time(r *Record, name string) time.Time {
	text := f.first(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.DateOnly,
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	r.wrong(name, fmt.Errorf("%q is no time such as 2026-11-24T12:00:00Z", text))
	return time.Time{}
}

// bool parses a boolean as CSV exports of PostgreSQL, SQLite and MySQL write it. It
// returns false for no value.
func (f fields) bool(r *Record, name string) bool {
	text := f.first(name)
	if text == "" {
		return false
	}
	b, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		r.wrong(name, fmt.Errorf("%q is neither true nor false", text))
	}
	return b
}

// wrong records the error of a field, unless there is one already.
func (r *Record) wrong(field string, err error) {
	if err == nil || r.Err != nil {
		return
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		err = errors.New(f.Detail)
	}
	r.Err = fmt.Errorf("%s: %w", field, err)
}

func (r *Record) setEmail(s string) {
	if s == "" {
		r.Err = errNoEmail
		return
	}
	var err error
	if r.Email, err = account.ParseEmail(s); err != nil {
		r.wrong("email", err)
	}
	r.Spelled = account.LegacyEmail(s)
}

// setName sets the full name, or that of its parts.
func (r *Record) setName(full, first, last string) {
	if full == "" {
		full = strings.TrimSpace(first + " " + last)
	}
	var err error
	r.FullName, err = account.ParseName(full)
	r.wrong("full_name", err)
}

// setHash sets the hash, or none if the gateway cannot verify it.
func (r *Record) setHash(s string) {
	r.Hash, _ = password.ParseHash(s) // without it, the user resets the password
}

func (r *Record) setPreferences(s string) {
	var err error
	r.Preferences, err = account.ParsePreferences([]byte(s))
	r.wrong("preferences", err)
}

// checkText returns the error of a record that is not UTF-8.
func checkText[T string | []byte](parts ...T) error {
	for _, s := range parts {
		if !utf8.ValidString(string(s)) {
			return errNotUTF8
		}
	}
	return nil
}
