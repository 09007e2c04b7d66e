package userfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// jsonLines returns the records of a file with one JSON object a line.
func jsonLines(in *reader, now time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for n := 1; ; n++ {
			text, err := in.line()
			if err != nil && !errors.Is(err, ErrTooLong) {
				if !errors.Is(err, io.EOF) {
					yield(Record{}, err)
				}
				return
			}
			if err == nil && len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			r := Record{Err: err}
			if err == nil {
				r = objectRecord(text, now)
			}
			r.Name = line(n)
			if !yield(r, nil) {
				return
			}
		}
	}
}

// line returns the next line. It skips one that is too long, and returns [ErrTooLong].
func (r *reader) line() ([]byte, error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(text) <= MaxRecord {
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(text) > 0:
			err = nil
		}
		if err == nil && len(text) > MaxRecord {
			err = ErrTooLong
		}
		return text, err
	}
}

// objectRecord returns the record of a JSON object with the members of the gateway's
// export.
func objectRecord(text []byte, now time.Time) Record {
	if err := checkText(text); err != nil {
		return Record{Err: err}
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return Record{Err: errNotObject}
	}
	f := fields{}
	for name, value := range members {
		var s string
		switch {
		case string(value) == "null":
		case json.Unmarshal(value, &s) == nil:
			f[name] = s
		default: // booleans and objects in their JSON form
			f[name] = string(value)
		}
	}
	return f.record(JSONLines, now)
}

// realmUsers returns the records of the member "users" of a Keycloak realm, or of a file
// of its users.
func realmUsers(in *reader, now time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		d := json.NewDecoder(in)
		if err := findUsers(in, d); err != nil {
			yield(Record{}, fmt.Errorf("look for the users of the realm: %w", err))
			return
		}
		for n := 1; d.More(); n++ {
			in.next()
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				yield(Record{}, fmt.Errorf("read user %d: %w", n, err))
				return
			}
			r := realmRecord(raw, now)
			r.Name = fmt.Sprintf("user %d", n)
			if !yield(r, nil) {
				return
			}
		}
		in.next()
		if _, err := d.Token(); err != nil { // the end of the array
			yield(Record{}, fmt.Errorf("read the end of the users: %w", unexpected(err)))
		}
	}
}

// unexpected returns err, or [io.ErrUnexpectedEOF] for the end of the file.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// findUsers reads up to the first user.
func findUsers(in *reader, d *json.Decoder) error {
	depth, wanted := 0, false
	for {
		in.next()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return errors.New("there is no member \"users\"; export the realm with its users")
		}
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'):
			depth++
		case json.Delim('['):
			if wanted {
				return nil
			}
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		wanted = depth == 1 && token == "users"
	}
}

// A realmUser is a user in the export of a Keycloak realm (UserRepresentation).
type realmUser struct {
	Email         string              `json:"email"`
	EmailVerified bool                `json:"emailVerified"`
	FirstName     string              `json:"firstName"`
	LastName      string              `json:"lastName"`
	Enabled       *bool               `json:"enabled"`
	Created       int64               `json:"createdTimestamp"` // milliseconds
	Service       string              `json:"serviceAccountClientId"`
	Attributes    map[string][]string `json:"attributes"`
	Credentials   []struct {
		Type       string `json:"type"`
		SecretData string `json:"secretData"` // a JSON object
	} `json:"credentials"`
}

// realmRecord returns the record of a user of a realm. Keycloak hashes by PBKDF2 or
// Argon2, unless an extension adds bcrypt.
func realmRecord(raw []byte, now time.Time) (r Record) {
	var u realmUser
	if r.Err = checkText(raw); r.Err != nil {
		return r
	}
	if err := json.Unmarshal(raw, &u); err != nil {
		r.Err = fmt.Errorf("not a user of a realm: %w", err)
		return r
	}
	if u.Service != "" {
		r.Err = errNoUser
		return r
	}
	r.setEmail(u.Email)
	r.setName("", u.FirstName, u.LastName)
	r.Disabled = u.Enabled != nil && !*u.Enabled
	if u.Created > 0 {
		r.CreatedAt = time.UnixMilli(u.Created)
	}
	if u.EmailVerified {
		r.VerifiedAt = &now
	}
	for _, c := range u.Credentials {
		var secret struct {
			Value string `json:"value"`
		}
		if c.Type == "password" && json.Unmarshal([]byte(c.SecretData), &secret) == nil {
			r.setHash(secret.Value)
		}
	}
	if locale := u.Attributes["locale"]; len(locale) > 0 {
		language, _ := json.Marshal(map[string]string{"language": locale[0]}) // strings have a JSON form
		r.setPreferences(string(language))
	}
	return r
}
