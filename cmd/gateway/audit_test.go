package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// A console runs commands with one data directory.
type console struct {
	*testing.T

	env map[string]string
}

func newConsole(t *testing.T) console {
	t.Helper()
	return console{t, map[string]string{"DATA_DIR": t.TempDir(), "RATE_LIMIT_STORE": "memory"}}
}

// do runs a command, and fails the test unless it exits with code.
func (c console) do(code int, args ...string) (stdout, stderr string) {
	c.Helper()
	var out, problems bytes.Buffer
	got := run(c.Context(), args, func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, &out, &problems)
	if got != code {
		c.Fatalf("gateway %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), problems.String())
	}
	return out.String(), problems.String()
}

// store calls fn with the database.
func (c console) store(fn func(ctx context.Context, db *store.DB)) {
	c.Helper()
	db, err := sqlite.Open(filepath.Join(c.env["DATA_DIR"], database.File))
	if err != nil {
		c.Fatal(err)
	}
	defer db.Close()
	fn(c.Context(), db)
}

// recordEvents records n logins of a user in the audit trail.
func (c console) recordEvents(user account.ID, n int) {
	c.store(func(ctx context.Context, db *store.DB) {
		for range n {
			e := audit.New(audit.LoggedIn, user, audit.Origin{Address: "192.0.2.7", Device: "tele\tphone \x1b[31m", CorrelationID: "c"}, time.Now())
			if err := db.Audit(ctx, e); err != nil {
				c.Fatal(err)
			}
		}
	})
}

func TestAuditVerify(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	out, _ := c.do(0, "audit", "verify")
	if !strings.HasPrefix(out, "ok: 0 events") {
		t.Errorf("with an empty trail, audit verify prints %q, want ok: 0 events", out)
	}
	c.recordEvents(account.NewID(), 5)
	out, _ = c.do(0, "audit", "verify", "--read-only")
	if !strings.Contains(out, "5 events have no place yet") {
		t.Errorf("audit verify --read-only prints %q, want 5 events without a place", out)
	}
	out, _ = c.do(0, "audit", "verify")
	head := regexp.MustCompile(`head: (5:[0-9a-f]{64})`).FindStringSubmatch(out)
	if !strings.HasPrefix(out, "ok: 5 events") || head == nil {
		t.Fatalf("audit verify prints %q, want ok: 5 events and the head", out)
	}
	c.recordEvents(account.NewID(), 2)
	c.do(0, "audit", "verify", "--head", head[1])
	_, problems := c.do(exitUsage, "audit", "verify", "--head", "nonsense")
	if !strings.Contains(problems, "--head: not a head as the log has it") {
		t.Errorf("with a malformed head, audit verify reports %q", problems)
	}
	other := strings.Replace(head[1], "5:", "6:", 1)
	_, problems = c.do(1, "audit", "verify", "--head", other)
	if !strings.Contains(problems, "made anew") {
		t.Errorf("with the head of another trail, audit verify reports %q", problems)
	}

	c.store(func(ctx context.Context, db *store.DB) {
		if _, err := db.Handle().ExecContext(ctx, `DELETE FROM audit_events WHERE seq = 3`); err != nil {
			t.Fatal(err)
		}
	})
	_, problems = c.do(1, "audit", "verify")
	if !strings.Contains(problems, "the audit trail is broken at place 3: 1 events are missing before event ") {
		t.Errorf("without event 3, audit verify reports %q", problems)
	}
	out, _ = c.do(1, "audit", "verify", "--json")
	var r trail.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.OK || r.Broken == nil || r.Broken.Seq != 3 {
		t.Errorf("audit verify --json prints %s, %v; want a break at place 3", out, err)
	}
	out, _ = c.do(0, "audit", "adopt")
	if !strings.Contains(out, "adopted (1 events are missing") {
		t.Errorf("audit adopt prints %q", out)
	}
	if out, _ = c.do(0, "audit", "verify"); !strings.HasPrefix(out, "ok: 7 events") { // six, and the adoption
		t.Errorf("after the adoption, audit verify prints %q, want ok: 7 events", out)
	}
	_, problems = c.do(1, "audit", "adopt")
	if !strings.Contains(problems, "nothing to adopt") {
		t.Errorf("a second audit adopt reports %q", problems)
	}
}

func TestAuditList(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	ada := account.NewID()
	c.recordEvents(ada, 3)
	c.recordEvents(account.NewID(), 2)
	count := func(args ...string) int {
		t.Helper()
		out, _ := c.do(0, append([]string{"audit", "list", "--json"}, args...)...)
		n := 0
		for line := range strings.Lines(out) {
			var e eventJSON
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event != "logged_in" || e.Address != "192.0.2.7" {
				t.Errorf("got the event %s, %v", line, err)
			}
			n++
		}
		return n
	}
	for _, test := range []struct {
		want int
		args []string
	}{
		{5, nil}, {2, []string{"--limit", "2"}}, {3, []string{"--user", string(ada)}}, {0, []string{"--user", string(account.NewID())}},
		{5, []string{"--event", "logged_in"}}, {0, []string{"--event", "logged_out"}}, {5, []string{"--since", "1h"}},
		{0, []string{"--since", time.Now().Add(time.Hour).Format(time.RFC3339)}}, {5, []string{"--since", "2020-01-01T00:00:00Z"}},
		{1, []string{"--user", string(ada), "--event", "logged_in", "--since", "1h", "--limit", "1"}},
	} {
		if got := count(test.args...); got != test.want {
			t.Errorf("audit list %v: got %d events, want %d", test.args, got, test.want)
		}
	}
	out, _ := c.do(0, "audit", "list")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 6 || !strings.HasPrefix(lines[0], "TIME") || strings.ContainsAny(out, "\x1b\t") {
		t.Errorf("audit list prints %q, want a header, 5 events and no control characters", out)
	}
	for code, all := range map[int][][]string{
		exitUsage: {{"--event", "nonsense"}, {"--since", "yesterday"}, {"--since", "-1h"}, {"--limit", "0"}, {"--user", "nobody"}},
		1:         {{"--user", "nobody@example.org"}},
	} {
		for _, bad := range all {
			if _, problems := c.do(code, append([]string{"audit", "list"}, bad...)...); problems == "" {
				t.Errorf("audit list %v: got no error message", bad)
			}
		}
	}
}

func TestUserSetRole_IsAudited(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	c.store(func(ctx context.Context, db *store.DB) {
		a := account.Account{ID: account.NewID(), Email: "ada@example.org", Role: account.User, CreatedAt: time.Now(), UpdatedAt: time.Now()}
		if err := db.Update(ctx, func(tx *store.Tx) error { return tx.CreateAccount(ctx, a, "hash") }); err != nil {
			t.Fatal(err)
		}
	})
	_, log := c.do(0, "user", "set-role", "ada@example.org", "admin")
	if !strings.Contains(log, `"event":"role_changed"`) || !strings.Contains(log, `"device":"command line"`) {
		t.Errorf("user set-role logs %s", log)
	}
	if out, _ := c.do(0, "audit", "list", "--user", "ada@example.org"); !strings.Contains(out, "role_changed") || !strings.Contains(out, "command line") {
		t.Errorf("audit list prints %s, want the event of user set-role", out)
	}
}
