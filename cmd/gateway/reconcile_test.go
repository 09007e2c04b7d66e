package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
)

// A shell runs commands with one database and one Nextcloud.
type shell struct {
	t     *testing.T
	env   map[string]string
	cloud *nextcloudtest.Server
}

func newShell(t *testing.T) shell {
	t.Helper()
	c, env := cloud(t)
	env["DATA_DIR"] = t.TempDir()
	return shell{t, env, c}
}

func (s shell) lookup(name string) (string, bool) { v, ok := s.env[name]; return v, ok }

func (s shell) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, problems bytes.Buffer
	code = run(ctx, append([]string{"nextcloud"}, args...), s.lookup, &out, &problems)
	return code, out.String(), problems.String()
}

// A trigger is a buffer that calls do once it contains on.
type trigger struct {
	bytes.Buffer

	on string
	do func()
}

func (w *trigger) Write(text []byte) (int, error) {
	n, err := w.Buffer.Write(text)
	if strings.Contains(w.String(), w.on) {
		w.do()
	}
	return n, err
}

// store calls fn with the parts of the gateway.
func (s shell) store(fn func(ctx context.Context, p *parts) error) {
	s.t.Helper()
	err := withParts(s.t.Context(), &variables{process: s.lookup}, io.Discard, func(p *parts) error { return fn(s.t.Context(), p) })
	if err != nil {
		s.t.Fatal(err)
	}
}

// register creates n accounts as registration does, but without hashing their passwords.
func (s shell) register(n int) {
	s.t.Helper()
	err := withParts(s.t.Context(), &variables{process: s.lookup}, io.Discard, func(p *parts) error {
		return p.DB.Update(s.t.Context(), func(tx *store.Tx) error {
			for i := range n {
				now := p.Now()
				a := account.Account{
					ID: account.NewID(), Email: account.Email(fmt.Sprintf("user-%04d@example.org", i)), FullName: "Ada",
					Role: account.User, Preferences: document.Empty, CreatedAt: now, UpdatedAt: now,
				}
				if err := tx.CreateAccount(s.t.Context(), a, "hash"); err != nil {
					return err
				}
				if err := p.Desired.Registered(s.t.Context(), tx, a, secret.String("SecurePass123!"), now); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

var progressLine = regexp.MustCompile(`^done (\d+), failed (\d+), left (\d+), \d+\.\d/s, (time left \S+|took \S+)(; waiting \S+ for .+)?$`)

var refusedUntil = regexp.MustCompile(`the administrator is rejected by Nextcloud; the gateway retries at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ,`)

func TestReconcile_ThousandNewUsers(t *testing.T) {
	t.Parallel()
	const users = 1000
	s := newShell(t)
	s.register(users)
	code, out, problems := s.run(t.Context(), "reconcile")
	if code != 0 {
		t.Errorf("exit code %d and %q, want 0", code, problems)
	}
	lines := strings.Split(strings.TrimSpace(problems+out), "\n")
	for _, line := range lines {
		if !progressLine.MatchString(line) {
			t.Errorf("got %q, want a line of progress", line)
		}
	}
	if first, last := lines[0], lines[len(lines)-1]; !strings.HasPrefix(first, "done 0, failed 0, left 1000, ") ||
		!strings.HasPrefix(last, "done 1000, failed 0, left 0, ") {
		t.Errorf("the progress goes from %q\nto %q, want from 0 to 1000 done", first, last)
	}
	if all := s.cloud.Users(); len(all) != users+1 {
		t.Errorf("Nextcloud has %d accounts, want %d", len(all), users+1)
	}
	edits := 0
	for _, c := range s.cloud.Calls() {
		if c.Method == "PUT" && c.User == "admin" && strings.Count(c.Path, "/") == 5 {
			edits++
		}
	}
	if edits > 0 { // Nextcloud limits edits to 50 in 10 minutes
		t.Errorf("the administrator edited %d accounts, want none", edits)
	}
}

func TestReconcile_ReportsRemainingAccounts(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.register(2)
	s.cloud.AddUser("user-0000@example.org", "theirs", "")
	code, out, problems := s.run(t.Context(), "reconcile")
	if code != 1 || !strings.Contains(out, "done 1, failed 1, left 0, ") || !strings.Contains(problems, "that need attention: 1;") {
		t.Errorf("with a conflict: exit code %d, want 1 and one failure\n%s%s", code, out, problems)
	}

	s = newShell(t)
	s.register(2)
	s.cloud.SetMaintenance(true)
	code, out, problems = s.run(t.Context(), "reconcile", "--no-wait")
	if code != 1 || !strings.Contains(out, "left 2, 0.0/s, time left unknown; waiting ") ||
		!strings.Contains(out, " for Nextcloud to respond again\n") || !strings.Contains(problems, "not yet in sync: 2;") {
		t.Errorf("in maintenance mode: exit code %d, want 1 and two accounts left\n%s%s", code, out, problems)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	output := &trigger{on: "; waiting ", do: stop}
	code = run(ctx, []string{"nextcloud", "reconcile"}, s.lookup, io.Discard, output)
	if code != 1 || !strings.Contains(output.String(), "done 0, ") {
		t.Errorf("interrupted while waiting: exit code %d, want 1 and no account done\n%s", code, output)
	}
	s.cloud.SetMaintenance(false)
	if code, out, problems = s.run(t.Context(), "reconcile"); code != 0 || !strings.Contains(out, "done 2, failed 0, left 0, ") {
		t.Errorf("after maintenance: exit code %d, want 0 and two accounts done\n%s%s", code, out, problems)
	}

	s = newShell(t)
	s.register(1)
	right := s.env["NEXTCLOUD_ADMIN_PASSWORD"]
	s.env["NEXTCLOUD_ADMIN_PASSWORD"] = "wrong"
	for range 2 {
		code, _, problems = s.run(t.Context(), "reconcile")
		if code != 1 || !refusedUntil.MatchString(problems) {
			t.Errorf("with a wrong password: exit code %d and %q, want 1 and the time of the next attempt", code, problems)
		}
	}
	if n := s.cloud.FailedLogins(); n != 1 {
		t.Errorf("Nextcloud counts %d failed logins, want 1", n)
	}
	s.env["NEXTCLOUD_ADMIN_PASSWORD"] = right
	if code, out, problems = s.run(t.Context(), "reconcile", "--no-wait"); code != 0 || !strings.Contains(out, "done 1, failed 0, left 0, ") {
		t.Errorf("with the right password: exit code %d, want 0 and one account done\n%s%s", code, out, problems)
	}
}

func TestSweepCommand(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.register(3)
	if code, out, problems := s.run(t.Context(), "reconcile"); code != 0 {
		t.Fatal(out, problems)
	}
	s.cloud.Set("user-0000@example.org", "quota", "1 GB")
	s.cloud.SetEnabled("user-0001@example.org", false)
	s.cloud.AddUser("nobody@example.org", "x", "")

	kept := regexp.MustCompile(`quota +user-0000@example.org +\S+ +1 GB +5 GB +kept\ncompared 3, differ 1, kept 1, orphans 1, `)
	if _, out, problems := s.run(t.Context(), "sweep", "--plan"); !kept.MatchString(out) {
		t.Errorf("got no %q in\n%s%s", kept, out, problems)
	}
	s.env["NEXTCLOUD_QUOTA_DRIFT"] = "reset"
	code, plan, problems := s.run(t.Context(), "sweep", "--plan")
	for _, want := range []string{
		`disabled +user-0001@example.org `,
		`orphan +nobody@example.org\n`,
		`quota +user-0000@example.org +\S+ +1 GB +5 GB\n`,
		`compared 3, differ 2, kept 0, orphans 1, not compared 0, not ours 1\n`,
	} {
		if code != 0 || !regexp.MustCompile(want).MatchString(plan) {
			t.Errorf("exit code %d, want 0 and %q in\n%s%s", code, want, plan, problems)
		}
	}
	var report struct {
		Compared int
		Drifts   []struct {
			Kind string
		}
		Due int
	}
	code, out, _ := s.run(t.Context(), "sweep", "--apply", "--output", "json")
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil || report.Due != 2 || len(report.Drifts) != 3 {
		t.Errorf("exit code %d, %v; want 0 and three drifts, two of them due\n%s", code, err, out)
	}
	if code, out, problems := s.run(t.Context(), "reconcile"); code != 0 || !strings.Contains(out, "done 2, ") {
		t.Errorf("exit code %d, want 0 and two accounts done\n%s%s", code, out, problems)
	}
	if _, out, _ := s.run(t.Context(), "sweep", "--plan"); !strings.Contains(out, "differ 0, kept 0, orphans 1,") {
		t.Errorf("after the sweep, a plan prints %s, want no difference but the orphan", out)
	}
	for _, args := range [][]string{{"sweep"}, {"sweep", "--plan", "--apply"}} {
		if code, _, problems := s.run(t.Context(), args...); code != exitUsage || problems != "gateway nextcloud sweep: pass either --plan or --apply\n" {
			t.Errorf("%v: exit code %d and %q, want %d", args, code, problems, exitUsage)
		}
	}
}
