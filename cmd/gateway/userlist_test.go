package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
)

// newUsers returns a console with the accounts root, an administrator, and ada.
func newUsers(t *testing.T) console {
	t.Helper()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	c.store(func(ctx context.Context, db *store.DB) {
		for _, a := range []account.Account{{Email: "root@example.org", Role: account.Admin}, {Email: "ada@example.org", FullName: "Ada Lovelace", Role: account.User}} {
			a.ID, a.Preferences, a.CreatedAt, a.UpdatedAt = account.NewID(), document.Empty, time.Now(), time.Now()
			if err := db.Update(ctx, func(tx *store.Tx) error { return tx.CreateAccount(ctx, a, "a hash") }); err != nil {
				t.Fatal(err)
			}
		}
	})
	return c
}

func TestUserCommands(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	for _, step := range []struct {
		args     []string
		code     int
		out, err string // what stdout and stderr contain
	}{
		{[]string{"list"}, 0, "ada@example.org   Ada Lovelace  user   active  never", ""},
		{[]string{"list", "--search", "love"}, 0, "ada@example.org", ""},
		{[]string{"list", "--search", "nobody"}, 0, "", "No accounts found."},
		{[]string{"list", "--limit", "1"}, 0, "ada@example.org", "There are more accounts"},
		{[]string{"list", "--limit", "0"}, exitUsage, "", "--limit is 0"},
		{[]string{"list", "--role", "king"}, exitUsage, "", "--role is"},
		{[]string{"show", "ada@example.org"}, 0, "address verified  no", ""},
		{[]string{"show", "nobody@example.org"}, 1, "", "does not exist"},
		{[]string{"show", "nobody"}, 1, "", "e-mail address"},
		{[]string{"enable", "ada@example.org"}, 0, "ada@example.org is already enabled\n", ""},
		{[]string{"disable", "ada@example.org"}, 0, "ada@example.org is disabled\n", ""},
		{[]string{"disable", "ada@example.org"}, 0, "ada@example.org is already disabled\n", ""},
		{[]string{"list", "--disabled"}, 0, "ada@example.org  Ada Lovelace  user  disabled", ""},
		{[]string{"enable", "Ada@EXAMPLE.org"}, 0, "ada@example.org is enabled\n", ""},
		{[]string{"disable", "root@example.org"}, 1, "", "last enabled administrator"},
		{[]string{"delete", "--yes", "root@example.org"}, 1, "", "last enabled administrator"},
		{[]string{"delete", "ada@example.org"}, 1, "", "not confirmed; nothing was deleted"},
		{[]string{"delete", "--yes", "ada@example.org"}, 0, "ada@example.org is deleted\n", ""},
		{[]string{"delete", "--yes", "ada@example.org"}, 1, "", "does not exist"},
	} {
		out, problems := c.do(step.code, append([]string{"user"}, step.args...)...)
		if !strings.Contains(out, step.out) || step.out == "" && out != "" || !strings.Contains(problems, step.err) {
			t.Errorf("user %s prints %q and %q, want %q and %q", strings.Join(step.args, " "), out, problems, step.out, step.err)
		}
	}
}

func TestUserDelete_AsksForTheAddress(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	shell := exampleShell{dir: t.TempDir(), env: []string{
		"PATH=" + gatewayOnPath(t) + string(filepath.ListSeparator) + os.Getenv("PATH"), "DATA_DIR=" + c.env["DATA_DIR"],
	}}
	for _, typed := range []string{"", `\n`, `yes\n`, `ada@example.orgx\n`} {
		code, _, problems := shell.run(t, `printf '`+typed+`' | gateway user delete ada@example.org`)
		if code != 1 || !strings.Contains(problems, "Enter ada@example.org to delete the account: not confirmed") {
			t.Errorf("%q: exit code %d, %s", typed, code, problems)
		}
	}
	if code, out, problems := shell.run(t, `echo ada@example.org | gateway user delete ada@example.org`); code != 0 || out != "ada@example.org is deleted\n" {
		t.Errorf("exit code %d, %q, %s", code, out, problems)
	}
}

func TestUserList_AsJSON(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	out, _ := c.do(0, "user", "list", "--role", "admin", "--output", "json")
	var list struct {
		Users []account.Profile
		More  bool
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Users) != 1 || list.Users[0].Email != "root@example.org" || list.More {
		t.Errorf("%v: %s", err, out)
	}
	out, _ = c.do(0, "user", "show", "root@example.org", "--output", "json")
	var shown struct {
		Email  string
		Logins *int
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Email != "root@example.org" || shown.Logins == nil {
		t.Errorf("%v: %s", err, out)
	}
}
