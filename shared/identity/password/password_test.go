package password_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const email = account.Email("adalovelace@example.org")
	for _, test := range []struct {
		name, plain string
		want        error
	}{
		{"a good password", "correct horse battery staple", nil},
		{"letters alone", "zxqwvutsrponm", nil},
		{"8 bytes", "zq8#wK2!", nil},
		{"7 bytes", "zq8#wK2", password.ErrTooShort},
		{"nothing", "", password.ErrTooShort},
		{"72 bytes", strings.Repeat("aB3$", 18), nil},
		{"73 bytes", strings.Repeat("aB3$", 18) + "x", password.ErrTooLong},
		{"4 two-byte letters", "éàüö", nil},
		{"37 two-byte letters", strings.Repeat("é", 37), password.ErrTooLong},
		{"a megabyte", strings.Repeat("x", 1<<20), password.ErrTooLong},
		{"36 decomposed letters, 72 bytes when composed", strings.Repeat("e\u0301", 36), nil},
		{"a common password", "password123", password.ErrCommon},
		{"a common password in mixed case", "PassWord123", password.ErrCommon},
		{"two common passwords on two lines", "password123\n12345678", nil},
		{"the address", string(email), password.ErrIsEmail},
		{"the address in upper case", strings.ToUpper(string(email)), password.ErrIsEmail},
		{"the part before the @", "AdaLovelace", password.ErrIsEmail},
		{"NUL, which terminates bcrypt's key", "correct\x00horse", password.ErrInvalid},
		{"not UTF-8", "correct\xffhorse", password.ErrInvalid},
	} {
		if _, err := password.Parse(test.plain, email); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

func TestParse_RejectsTheAddressInEverySpelling(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"ada@bücher.example", "Ada@BÜCHER.example", "ada@xn--bcher-kva.example"} {
		if _, err := password.Parse(plain, "ada@bücher.example"); !errors.Is(err, password.ErrIsEmail) {
			t.Errorf("%s: got %v", plain, err)
		}
	}
}

// TestCommon_HasEnoughEntries checks the requirement of OWASP ASVS 5.0.0, 6.2.4: the 3000
// most common passwords, among those that are long enough.
func TestCommon_HasEnoughEntries(t *testing.T) {
	t.Parallel()
	all := password.Common()
	if len(all) < 3000 {
		t.Errorf("the list has only %d passwords", len(all))
	}
	for _, plain := range all {
		if _, err := password.Parse(plain, ""); !errors.Is(err, password.ErrCommon) {
			t.Errorf("%q is on the list: got %v", plain, err)
		}
	}
}

func TestPassword_NeverPrintsItself(t *testing.T) {
	t.Parallel()
	const plain = "correct horse battery staple"
	p, err := password.Parse(plain, "")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "password", p)
	asJSON, err := json.Marshal(map[string]any{"password": p})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%+v %#v %q %x %s", p, p, p, p, &p), log.String(), string(asJSON)} {
		if strings.Contains(text, "horse") || strings.Contains(text, fmt.Sprintf("%x", plain)) {
			t.Errorf("the password appears in %s", text)
		}
	}
	if p.Reveal().Reveal() != plain {
		t.Error("Reveal does not return the password")
	}
}
