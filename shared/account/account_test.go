package account_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/uid"
)

func TestParseEmail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{
		{"a plain one", "ada@example.org", "ada@example.org"},
		{"in other letters", "Ada@EXAMPLE.org", "ada@example.org"},
		{"with space around", " ada@example.org\n", "ada@example.org"},
		{"with a tag", "ada+voice@example.org", "ada+voice@example.org"},
		{"composed letters", "rene\u0301@example.org", "rené@example.org"},
		{"a domain of other letters", "ada@münchen.example", "ada@münchen.example"},
		{"nothing", "", ""},
		{"no @", "ada.example.org", ""},
		{"two @", "ada@b@example.org", ""},
		{"no local part", "@example.org", ""},
		{"no domain", "ada@", ""},
		{"a display name", "Ada <ada@example.org>", ""},
		{"brackets", "<ada@example.org>", ""},
		{"a quoted local part", `"a b"@example.org`, ""},
		{"an address literal", "ada@[192.0.2.1]", ""},
		{"a space inside", "ada l@example.org", ""},
		{"a comment", "ada(x)@example.org", ""},
		{"two addresses", "ada@example.org,bob@example.org", ""},
		{"an empty label", "ada@example..org", ""},
		{"a label that begins with a hyphen", "ada@-example.org", ""},
		{"an underscore in the domain", "ada@ex_ample.org", ""},
		{"a dot at the end of the local part", "ada.@example.org", ""},
		{"a line break inside", "ada@example.org\r\nBcc: bob@example.org", ""},
		{"NUL", "ada\x00@example.org", ""},
		{"a character that turns the text round", "ada\u202e@example.org", ""},
		{"not UTF-8", "ada\xff@example.org", ""},
		{"64 bytes before the @", strings.Repeat("a", 64) + "@example.org", strings.Repeat("a", 64) + "@example.org"},
		{"65 bytes before the @", strings.Repeat("a", 65) + "@example.org", ""},
		{"a label of 64", "ada@" + strings.Repeat("a", 64) + ".org", ""},
		{"255 bytes", "a@" + strings.Repeat(strings.Repeat("a", 60)+".", 4) + "example.org", ""},
	} {
		got, err := account.ParseEmail(test.in)
		if string(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v, want %q", test.name, got, err, test.want)
		}
		if err != nil && !errors.Is(err, account.ErrBadEmail) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

// FuzzParseEmail holds that what is parsed parses to itself, and can break no
// line of a log or a mail.
func FuzzParseEmail(f *testing.F) {
	f.Add("Ada@example.org")
	f.Add("rene\u0301@İstanbul.example")
	f.Add("a@b\u0345.c")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := account.ParseEmail(s)
		if err != nil {
			return
		}
		if again, err := account.ParseEmail(string(e)); err != nil || again != e {
			t.Errorf("ParseEmail(%q) = %q, which parses to %q, %v", s, e, again, err)
		}
		if strings.ContainsAny(string(e), "\r\n\x00 \"<>,;") || strings.Count(string(e), "@") != 1 {
			t.Errorf("ParseEmail(%q) = %q", s, e)
		}
	})
}

func TestParseName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Ada  Lovelace ": "Ada  Lovelace", "": "", "Rene\u0301": "René", "李": "李",
		strings.Repeat("é", 100): strings.Repeat("é", 100),
	} {
		if got, err := account.ParseName(in); got != want || err != nil {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{strings.Repeat("a", 101), "a\nb", "a\x00", "a\u2028b", "a\u202eb", "a\xff"} {
		if _, err := account.ParseName(in); !errors.Is(err, account.ErrBadName) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestParseRole(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{"user": true, "admin": true, "": false, "Admin": false, "root": false} {
		if _, err := account.ParseRole(in); (err == nil) != ok {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	first, second := account.NewID(), account.NewID()
	if first >= second {
		t.Errorf("%s was made before %s, and does not sort so", first, second)
	}
	for in, ok := range map[string]bool{
		string(first): true, strings.ToUpper(string(first)): true, "": false, "1": false,
		"{" + string(first) + "}": false, "urn:uuid:" + string(first): false,
		strings.ReplaceAll(string(first), "-", ""): false,
	} {
		got, err := account.ParseID(in)
		if (err == nil) != ok || err != nil && !errors.Is(err, uid.ErrUnknown) || err == nil && got != first {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	raw, err := uid.Bytes(string(first))
	if err != nil || uid.FromBytes(raw) != string(first) {
		t.Errorf("the bytes of %s are %x, %v", first, raw, err)
	}
}

func TestProfile_ShowsNoMoreThanItShould(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 500_000, time.UTC)
	a := account.Account{ID: "x", Email: "ada@example.org", Role: account.User, CreatedAt: now, UpdatedAt: now}
	got, err := json.Marshal(a.Profile())
	want := `{"id":"x","email":"ada@example.org","full_name":"","role":"user","preferences":{},` +
		`"nextcloud_user_id":null,"created_at":"2026-03-01T12:00:00.0005Z","updated_at":"2026-03-01T12:00:00.0005Z"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	a.NextcloudUserID, a.DisabledAt = "ada", &now
	if p := a.Profile(); p.NextcloudUserID == nil || *p.NextcloudUserID != "ada" || !p.Disabled {
		t.Errorf("got %+v", p)
	}
}
