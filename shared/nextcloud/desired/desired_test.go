package desired_test

import (
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

func TestNextcloudID(t *testing.T) {
	t.Parallel()
	const id = "019ce000-0000-7000-8000-000000000001"
	for _, test := range []struct {
		name, email string
		byEmail     bool
		want        string
	}{
		{"an address that Nextcloud accepts", "ada.l_o-v'e@example.org", true, "ada.l_o-v'e@example.org"},
		{"the account ID if configured", "ada@example.org", false, id},
		{"a character that Nextcloud refuses", "ada+voice@example.org", true, id},
		{"the name of an internal folder of Nextcloud", "appdata_x@example.org", true, id},
		{"letters of other scripts", "ädä@example.org", true, id},
		{"a domain of other scripts as A-labels", "ada@bücher.example", true, "ada@xn--bcher-kva.example"},
		{"an address that is too long with A-labels", strings.Repeat("a", 50) + "@bücher.example", true, id},
		{"64 characters fit", strings.Repeat("a", 52) + "@example.org", true, strings.Repeat("a", 52) + "@example.org"},
		{"65 characters do not fit", strings.Repeat("a", 53) + "@example.org", true, id},
	} {
		a := account.Account{ID: id, Email: account.Email(test.email)}
		if got := desired.NextcloudID(a, test.byEmail); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "pending", "active", "disabled", "conflict", "failed"} {
		if got, err := desired.ParseStatus(s); err != nil || string(got) != s {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
	}
	if _, err := desired.ParseStatus("inactive"); err == nil {
		t.Error("an unknown status is accepted")
	}
}
