package signin_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

func TestStart(t *testing.T) {
	t.Parallel()
	user := account.NewID()
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, 1, 2, 4, 4, 5, 1_234_999, zone)
	at := time.Date(2026, 1, 2, 3, 4, 5, 1_234_000, time.UTC)

	got := signin.Start(user, "Firefox\x00", "192.0.2.1\n", now, signin.Lifetimes{Idle: signin.DefaultIdle})
	want := signin.Login{
		ID: got.ID, UserID: user, CreatedAt: at, RotatedAt: at, ExpiresAt: at.Add(7 * 24 * time.Hour),
		Device: "Firefox", Address: "192.0.2.1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Start (-want +got):\n%s", diff)
	}
	if got.CreatedAt.Location() != time.UTC {
		t.Errorf("CreatedAt has location %v, want UTC", got.CreatedAt.Location())
	}
	if id, err := signin.ParseID(string(got.ID)); err != nil || id != got.ID {
		t.Errorf("ParseID(%q) = %q, %v; want the same ID", got.ID, id, err)
	}
}

func TestParseID_RejectsOtherThanUUIDs(t *testing.T) {
	t.Parallel()
	if _, err := signin.ParseID("1; DROP TABLE logins"); !errors.Is(err, uid.ErrUnknown) {
		t.Errorf("ParseID = %v, want ErrUnknown", err)
	}
}

func TestLogin_Active(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name  string
		login signin.Login
		want  bool
	}{
		{"just before expiry", signin.Login{ExpiresAt: now.Add(1)}, true},
		{"at expiry", signin.Login{ExpiresAt: now}, false},
		{"revoked", signin.Login{ExpiresAt: now.Add(1), RevokedAt: &now}, false},
	}
	for _, tt := range tests {
		if got := tt.login.Active(now); got != tt.want {
			t.Errorf("%s: Active = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCleanDevice(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"a browser stays unchanged", "Mozilla/5.0 (X11; Linux) Gecko/20100101", "Mozilla/5.0 (X11; Linux) Gecko/20100101"},
		{"empty stays empty", "", ""},
		{"line breaks cannot forge log lines", "a\r\nlevel=ERROR", "a  level=ERROR"},
		{"control and escape characters are removed", "a\x00b\x1b[31mc\x7f", "ab[31mc"},
		{"bidirectional overrides are removed", "a\u202eb\u2066c", "abc"},
		{"invalid UTF-8 is removed", "a\xff\xc3b", "ab"},
		{"surrounding space is trimmed", "  Téléphone d’Ada \t", "Téléphone d’Ada"},
		{"200 bytes stay unchanged", strings.Repeat("a", 200), strings.Repeat("a", 200)},
		{"longer text is truncated", strings.Repeat("a", 201), strings.Repeat("a", 200)},
		{"truncation keeps characters whole", strings.Repeat("a", 199) + "é", strings.Repeat("a", 199)},
		{"a space at the end of truncated text is trimmed", strings.Repeat("a", 199) + " b", strings.Repeat("a", 199)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := signin.CleanDevice(tt.in); got != tt.want {
				t.Errorf("CleanDevice(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzCleanDevice(f *testing.F) {
	f.Add("Mozilla/5.0")
	f.Add("\xff\u202e\x00 ")
	f.Add(strings.Repeat("é ", 120))
	f.Fuzz(func(t *testing.T, s string) {
		got := signin.CleanDevice(s)
		if len(got) > 200 || !utf8.ValidString(got) ||
			strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("CleanDevice(%q) = %q, which is not safe to display", s, got)
		}
		if again := signin.CleanDevice(got); again != got {
			t.Errorf("CleanDevice(%q) = %q, then %q; want a fixed point", s, got, again)
		}
	})
}
