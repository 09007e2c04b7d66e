package userfile_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/userfile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// read returns the records of a file, a line of text for each, and the error that ended it.
func read(t *testing.T, text string, f userfile.Format) (lines []string, err error) {
	t.Helper()
	records, err := userfile.Read(strings.NewReader(text), f, noon)
	if err != nil {
		return nil, err
	}
	return describe(records)
}

func describe(records iter.Seq2[userfile.Record, error]) (lines []string, err error) {
	for r, err := range records {
		if err != nil {
			return lines, err
		}
		if r.Err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v", r.Name, r.Err))
			continue
		}
		hash, _, _ := strings.Cut(strings.TrimPrefix(r.Hash.Reveal(), "$"), "$")
		verified := "-"
		if r.VerifiedAt != nil {
			verified = r.VerifiedAt.UTC().Format(time.RFC3339)
		}
		created := "-"
		if !r.CreatedAt.IsZero() {
			created = r.CreatedAt.UTC().Format(time.RFC3339Nano)
		}
		line := fmt.Sprintf("%s: %s %q hash %s verified %s created %s %s", r.Name, r.Email, r.FullName, hash, verified, created, r.Preferences)
		if r.Disabled {
			line += " disabled"
		}
		if r.Admin {
			line += " admin"
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// TestRead_Exports reads an export of each system, and recognizes its format.
func TestRead_Exports(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"fastapi-users.csv": {
			`line 2: ada@example.org "" hash 2b verified 2026-03-01T12:00:00Z created - {}`,
			`line 3: grace@example.org "" hash  verified - created - {}`,
			`line 4: root@example.org "" hash 2b verified 2026-03-01T12:00:00Z created - {} admin`,
			`line 5: mallory@example.org "" hash 2b verified 2026-03-01T12:00:00Z created - {} disabled`,
		},
		"supabase.csv": {
			`line 2: ada@example.org "Ada Lovelace" hash 2a verified 2024-01-15T10:23:45Z created 2024-01-15T10:22:01.5Z {}`,
			`line 3: grace@example.org "Grace Hopper" hash  verified 2024-02-01T07:00:00Z created 2024-02-01T07:00:00Z {}`,
			`line 4: mallory@example.org "" hash 2a verified - created 2024-03-01T12:00:00Z {} disabled`,
			`line 5: eve@example.org "" hash 2a verified 2024-03-02T12:00:00Z created 2024-03-02T12:00:00Z {}`,
		},
		"keycloak.json": {
			`user 1: ada@example.org "Ada Lovelace" hash  verified 2026-03-01T12:00:00Z created 2024-01-15T10:22:01.5Z {"language":"de"}`,
			`user 2: grace@example.org "Grace Hopper" hash  verified - created 2024-02-01T07:00:00Z {} disabled`,
		},
	} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(t, string(text), userfile.Auto)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
		}
	}
}

// TestRead_GoesOnAfterWrongRecords has a right record after each wrong one.
func TestRead_GoesOnAfterWrongRecords(t *testing.T) {
	t.Parallel()
	const right = `x@example.org "" hash  verified - created - {}`
	const header = "email,full_name,disabled,created_at,role,preferences\n"
	for _, test := range []struct{ name, text, want string }{
		{"no address", header + ",Ada,,,,\n", "line 2: email: is missing"},
		{"a wrong address", header + "ada,,,,,\n", "line 2: email: Must be an e-mail address such as ada@example.org, of at most 254 bytes."},
		{"a long name", header + "ada@example.org," + strings.Repeat("a", 101) + ",,,,\n", "line 2: full_name: Must be at most 100 characters long."},
		{"not UTF-8", header + "ada@example.org,\xff,,,,\n", "line 2: not UTF-8"},
		{"no boolean", header + "ada@example.org,,perhaps,,,\n", `line 2: disabled: "perhaps" is neither true nor false`},
		{"no time", header + "ada@example.org,,,yesterday,,\n", `line 2: created_at: "yesterday" is no time such as 2026-11-24T12:00:00Z`},
		{"no role", header + "ada@example.org,,,,king,\n", `line 2: role: Must be "user" or "admin".`},
		{"no preferences", header + "ada@example.org,,,,,[]\n", "line 2: preferences: Must be a JSON object."},
		{"too few columns", header + "ada@example.org\n", "line 2: wrong number of fields"},
		{"a quote", header + "ada@example.org,A \"B\" C,,,,\n", "line 2: bare \" in non-quoted-field"},
		{"no object", "{\"email\":\"x@example.org\"}\n[]\n", "line 2: not a JSON object"},
		{"no JSON", "{\"email\":\"x@example.org\"}\n{\"email\n", "line 2: not a JSON object"},
		{"not UTF-8 in JSON", "{\"email\":\"x@example.org\"}\n{\"email\":\"ada@example.org\",\"full_name\":\"\xff\"}\n", "line 2: not UTF-8"},
		{"a long line", "{\"email\":\"x@example.org\"}\n{\"email\":\"" + strings.Repeat("a", userfile.MaxRecord) + "\"}\n", "line 2: a record of more than 1048576 bytes"},
		{"not UTF-8 in a realm", `{"users":[{"email":"a@example.org","firstName":"` + "\xff" + `"}`, "user 1: not UTF-8"},
		{"no user", `{"users":[[]`, "user 1: not a user of a realm: json: cannot unmarshal array into Go value of type userfile.realmUser"},
		{"a user without an address", `{"users":[{"username":"ada"}`, "user 1: email: is missing"},
	} {
		text, next := test.text, "line 3: "
		switch {
		case strings.HasPrefix(text, "{\"users"):
			text, next = text+`,{"email":"x@example.org"}]}`, "user 2: "
		case strings.HasPrefix(text, "{"):
			text += "\n{\"email\":\"x@example.org\"}\n" // after an empty line
			next = "line 4: "
		default:
			text += "x@example.org,,,,,\n"
		}
		got, err := read(t, text, userfile.Auto)
		if len(got) == 3 { // the object by which the format is recognized
			got = got[1:]
		}
		if diff := cmp.Diff([]string{test.want, next + right}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
	}
}

func TestRead_EndsWhereItMust(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 2*userfile.MaxRecord)
	for _, test := range []struct {
		name, text string
		format     userfile.Format
		want       string
	}{
		{"nothing", "", userfile.Auto, userfile.ErrUnknownFormat.Error()},
		{"something else", "a,b\n", userfile.Auto, userfile.ErrUnknownFormat.Error()},
		{"another object", `{"a":1}`, userfile.Auto, userfile.ErrUnknownFormat.Error()},
		{"a format that is none", "", "xml", `the format is "xml"; it must be one of auto, fastapi-users, supabase, keycloak, csv, jsonl`},
		{"no columns", "", userfile.CSV, "read the names of the columns: the file is empty"},
		{"a row that is too long", "email\n" + long + "\n", userfile.CSV, userfile.ErrTooLong.Error()},
		{"a quote that nothing closes", "email\n\"" + long + "\n", userfile.CSV, userfile.ErrTooLong.Error()},
		{"a user that is too long", `{"users":[{"email":"` + long + `"}]}`, userfile.Keycloak, "read user 1: " + userfile.ErrTooLong.Error()},
		{"a realm without users", `{"realm":"users","clients":[{"users":[]}]}`, userfile.Keycloak,
			`look for the users of the realm: there is no member "users"; export the realm with its users`},
		{"a realm that is cut off", `{"users":[{"email":"a@example.org"}`, userfile.Keycloak, "read the end of the users: unexpected EOF"},
	} {
		_, err := read(t, test.text, test.format)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

// TestRead_Spellings checks what differs between databases that export the same table.
func TestRead_Spellings(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"PostgreSQL":        "email,is_active,is_superuser\nada@example.org,f,t\n",
		"SQLite":            "email,is_active,is_superuser\nada@example.org,0,1\n",
		"Python":            "email,is_active,is_superuser\nada@example.org,False,True\n",
		"a byte order mark": "\ufeffemail,is_active,is_superuser\r\nada@example.org,false,true\r\n",
		"quoted names":      "\"EMAIL\",\"Is_Active\", is_superuser,more\nada@example.org,false,true,x\n",
	} {
		got, err := read(t, text, userfile.Auto)
		if diff := cmp.Diff([]string{`line 2: ada@example.org "" hash  verified - created - {} disabled admin`}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// endless is a file without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.read += len(p)
	if e.read > 16*userfile.MaxRecord {
		return 0, errors.New("it was read too far")
	}
	return len(p), nil
}

// TestRead_BoundsEachRecord reads one record without an end.
func TestRead_BoundsEachRecord(t *testing.T) {
	t.Parallel()
	for format, start := range map[userfile.Format]string{userfile.CSV: "email\n", userfile.Keycloak: `{"users":[{"email":"`} {
		in := &endless{}
		records, err := userfile.Read(io.MultiReader(strings.NewReader(start), in), format, noon)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := describe(records); !errors.Is(err, userfile.ErrTooLong) || in.read > 2*userfile.MaxRecord {
			t.Errorf("%s: %v after %d bytes", format, err, in.read)
		}
	}
}
