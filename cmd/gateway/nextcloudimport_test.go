package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// columns matches the space between columns.
var columns = regexp.MustCompile(` {2,}`)

func TestNextcloudImport(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.cloud.AddUser("countess", "x", "ada@example.org")
	s.cloud.AddUser("twin1", "x", "twin@example.org")
	s.cloud.AddUser("twin2", "x", "Twin@example.org")
	s.cloud.AddUser("twin3", "x", "twin@example.org")
	s.cloud.AddUser("ldap", "x", "ldap@example.org")
	s.cloud.SetBackend("ldap", "LDAP")
	s.cloud.AddUser("asleep", "x", "asleep@example.org")
	s.cloud.SetEnabled("asleep", false)
	s.cloud.AddUser("nobody", "x", "")
	s.cloud.AddUser("bad", "x", "bad\x1b")
	const attention = `admin  left out: administers Nextcloud or a group
asleep  asleep@example.org  left out: is disabled
bad  bad\x1b  left out: the address is not valid
ldap  ldap@example.org  left out: is of another back end
nobody  left out: has no address
twin1  twin@example.org  left out: has the address of twin2, twin3
twin2  Twin@example.org  left out: has the address of twin1, twin3
twin3  twin@example.org  left out: has the address of twin1, twin2
`
	const headings = "NEXTCLOUD ID  ADDRESS  RESULT\n"
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"--plan"}, headings +
			"admin  left out: administers Nextcloud or a group\n" +
			"asleep  asleep@example.org  left out: is disabled\n" +
			"bad  bad\\x1b  left out: the address is not valid\n" +
			"countess  ada@example.org  import\n" +
			"ldap  ldap@example.org  left out: is of another back end\n" +
			"nobody  left out: has no address\n" +
			"twin1  twin@example.org  left out: has the address of twin2, twin3\n" +
			"twin2  Twin@example.org  left out: has the address of twin1, twin3\n" +
			"twin3  twin@example.org  left out: has the address of twin1, twin2\n" +
			"users of Nextcloud: 9; would be imported 1, left out 8\n"},
		{nil, headings + attention + "users of Nextcloud: 9; imported 1, left out 8\n"},
		{nil, headings + attention + "users of Nextcloud: 9; imported 0, left out 9\n"},
	} {
		code, out, problems := s.run(t.Context(), append([]string{"import"}, step.args...)...)
		if diff := cmp.Diff(step.want, columns.ReplaceAllString(out, "  ")); code != 0 || diff != "" || problems != "" {
			t.Errorf("%s: exit code %d, %q: %s", step.args, code, problems, diff)
		}
	}

	var result struct {
		Read, Imported int
		LeftOut        int `json:"left_out"`
		Plan           bool
		Users          []struct {
			ID       string   `json:"nextcloud_user_id"`
			Email    string   `json:"email"`
			Reason   string   `json:"reason"`
			SharedBy []string `json:"shared_by"`
		}
	}
	code, out, problems := s.run(t.Context(), "import", "--plan", "--output", "json")
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 || problems != "" || !result.Plan || result.Read != 9 || result.LeftOut != 9 ||
		len(result.Users) != 9 || result.Users[3].Reason != "linked" || result.Users[8].Reason != "same_address" || len(result.Users[8].SharedBy) != 2 {
		t.Errorf("%d, %v: %s%s", code, err, out, problems)
	}

	s.cloud.SetMaintenance(true)
	code, out, problems = s.run(t.Context(), "import", "--output", "json")
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 1 || result.Users == nil || len(result.Users) != 0 ||
		!strings.Contains(problems, "after 0 users of Nextcloud: ") {
		t.Errorf("in maintenance: %d, %v: %s%s", code, err, out, problems)
	}
	if code, _, _ := s.run(t.Context(), "import", "--plan", "--send-resets"); code != exitUsage {
		t.Errorf("--plan and --send-resets: exit code %d, want %d", code, exitUsage)
	}
	delete(s.env, "NEXTCLOUD_URL")
	if code, _, problems := s.run(t.Context(), "import"); code != 1 || !strings.Contains(problems, "NEXTCLOUD_URL is not set") {
		t.Errorf("without a Nextcloud: exit code %d, %q", code, problems)
	}
}
