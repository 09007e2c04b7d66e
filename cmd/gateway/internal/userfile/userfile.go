// Package userfile reads the exports of users of other systems, and the gateway's own,
// one record at a time. It keeps no more than one record in memory, and a record that
// is wrong does not keep it from reading the rest.
//
// Begin with [Read].
package userfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/identity/registration"
)

// MaxRecord is the length in bytes of the longest record: far above what any of the
// systems stores of a user.
const MaxRecord = 1 << 20

// A Format is a format of exports.
type Format string

// The formats. Those with columns differ only in their names.
const (
	Auto         Format = "auto"          // recognized by the beginning of the file
	FastAPIUsers Format = "fastapi-users" // CSV of the table user
	Supabase     Format = "supabase"      // CSV of the table auth.users
	Keycloak     Format = "keycloak"      // the JSON of a realm, or of its users
	CSV          Format = "csv"           // with the columns of the gateway's export
	JSONLines    Format = "jsonl"         // of the gateway's export, an object a line
)

// Formats returns all formats.
func Formats() []string {
	return []string{string(Auto), string(FastAPIUsers), string(Supabase), string(Keycloak), string(CSV), string(JSONLines)}
}

// Errors that end the reading of a file.
var (
	ErrUnknownFormat = errors.New("the format is not recognized; pass --format")
	ErrTooLong       = fmt.Errorf("a record of more than %d bytes", MaxRecord)
)

// A Record is what the file has about one user.
type Record struct {
	Name  string // of the record in the file: "line 17" or, in JSON, "user 17"
	Admin bool   // the user was an administrator; the account is not
	registration.Imported

	Err error // why the record cannot be imported; the rest is then invalid
}

// Read returns the records of a file. An error is the last one: nothing after it could
// be read. It leaves out the accounts of services and those that were deleted. Users who
// are banned at the time now are disabled.
func Read(in io.Reader, f Format, now time.Time) (iter.Seq2[Record, error], error) {
	if f != Auto && !slices.Contains(Formats(), string(f)) {
		return nil, fmt.Errorf("the format is %q; it must be one of %s", f, strings.Join(Formats(), ", "))
	}
	r := newReader(in)
	if f == Auto {
		if f = recognize(r.peek()); f == Auto {
			return nil, ErrUnknownFormat
		}
	}
	switch f {
	case Keycloak:
		return users(realmUsers(r, now)), nil
	case JSONLines:
		return users(jsonLines(r, now)), nil
	default:
		return users(csvRows(r, f, now)), nil
	}
}

// users returns the records of users.
func users(all iter.Seq2[Record, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r, err := range all {
			if !errors.Is(r.Err, errNoUser) && !yield(r, err) {
				return
			}
		}
	}
}

// recognize returns the format of a file that begins with head, or [Auto].
func recognize(head []byte) Format {
	if bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		return recognizeJSON(head)
	}
	header, _, _ := strings.Cut(string(head), "\n")
	columns := map[string]bool{}
	for name := range strings.SplitSeq(header, ",") {
		columns[columnName(name)] = true
	}
	switch {
	case !columns["email"]:
		return Auto
	case columns["encrypted_password"]:
		return Supabase
	case columns["hashed_password"]:
		return FastAPIUsers
	}
	return CSV
}

// recognizeJSON looks for the members of a realm and of an account at the top level.
func recognizeJSON(head []byte) Format {
	d := json.NewDecoder(bytes.NewReader(head))
	if _, err := d.Token(); err != nil {
		return Auto
	}
	for {
		key, err := d.Token()
		switch {
		case err != nil:
			return Auto
		case key == "email":
			return JSONLines
		case key == "realm" || key == "users":
			return Keycloak
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return Auto
		}
	}
}

// A reader bounds how much is read for one record. It drops a byte order mark.
type reader struct {
	*bufio.Reader
	left int // bytes until the record is too long
}

const headSize = 64 << 10 // bytes in which the format is recognized

func newReader(in io.Reader) *reader {
	r := &reader{Reader: bufio.NewReaderSize(in, headSize), left: MaxRecord}
	if mark, err := r.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = r.Discard(len(mark)) // they were read
	}
	return r
}

// peek returns the beginning of the file.
func (r *reader) peek() []byte {
	head, _ := r.Peek(headSize) // the next read returns the error
	return head
}

// next begins another record.
func (r *reader) next() { r.left = MaxRecord }

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, ErrTooLong
	}
	n, err := r.Reader.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
