package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
)

// importedUsers returns a CSV file with n users.
func importedUsers(n int) string {
	var text strings.Builder
	text.WriteString("email,hashed_password\n")
	for i := range n {
		fmt.Fprintf(&text, "user%d@example.org,$2b$04$hNzl3WNiMHDPfxRxSSf29.pudcQXJztaOTl2.jNU6xQnm1mWYOaIO\n", i)
	}
	return text.String()
}

// file writes text to a file of the test, and returns its path.
func (c console) file(text string) string {
	c.Helper()
	path := filepath.Join(c.TempDir(), "users")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
	return path
}

func TestUserImport(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	file := c.file(importedUsers(3) + "ada@example.org,\nnobody,\n\xff@example.org,\n")
	const summary = "4 imported, 1 of them without a usable password; 0 skipped, since their address has an account; 2 wrong\n"
	for _, args := range [][]string{{"--dry-run"}, nil} {
		out, problems := c.do(1, append([]string{"user", "import", file}, args...)...)
		if args != nil {
			out = strings.Replace(out, "would be ", "", 1)
		}
		if out != summary || !strings.Contains(problems, "line 6: email: Must be") || !strings.Contains(problems, "line 7: not UTF-8\n") ||
			!strings.Contains(problems, "records that were not imported: 2;") {
			t.Errorf("%s: %q, %q", args, out, problems)
		}
	}
	out, problems := c.do(1, "user", "import", file, "--output", "json")
	var result struct {
		Imported, Pending, Existing, Wrong, Demoted int
		DryRun                                      bool                              `json:"dry_run"`
		WrongRecords                                []struct{ Record, Reason string } `json:"wrong_records"`
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.Existing != 4 || result.Wrong != 2 ||
		len(result.WrongRecords) != 2 || result.WrongRecords[1].Record != "line 7" || strings.Contains(problems, "line 7") {
		t.Errorf("%v: %s%s", err, out, problems)
	}
	for code, calls := range map[int][][]string{
		exitUsage: {{file, "--dry-run", "--send-resets"}, {}},
		1:         {{filepath.Join(t.TempDir(), "missing")}, {file, "--format", "xml"}, {c.file("a,b\n")}},
	} {
		for _, args := range calls {
			c.do(code, append([]string{"user", "import"}, args...)...)
		}
	}
}

// TestUserImport_KilledAndRepeated kills the program between two transactions and runs it
// again.
func TestUserImport_KilledAndRepeated(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	const users = 1000
	lines := strings.SplitAfter(importedUsers(users), "\n")
	cmd := exec.CommandContext(t.Context(), filepath.Join(gatewayOnPath(t), "gateway"), "user", "import", "--format", "csv", "-")
	cmd.Env = []string{"DATA_DIR=" + c.env["DATA_DIR"]}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It reports a wrong record after it has created the accounts of the batches before.
	if _, err := io.WriteString(in, strings.Join(lines[:500], "")+"nobody,\n"+strings.Repeat(" ", 1<<16)); err != nil {
		t.Fatal(err)
	}
	for read := bufio.NewScanner(problems); read.Scan(); {
		if strings.Contains(read.Text(), "line 501: email") {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	count := func() (n int) {
		c.store(func(ctx context.Context, db *store.DB) {
			if err := db.Handle().QueryRowContext(ctx, `SELECT COUNT(*) FROM nextcloud_accounts JOIN users ON users.id = user_id`).Scan(&n); err != nil {
				t.Fatal(err)
			}
		})
		return n
	}
	first := count()
	if first == 0 || first >= users {
		t.Fatalf("the killed program created %d accounts, want some", first)
	}
	out, _ := c.do(0, "user", "import", c.file(strings.Join(lines, "")))
	if want := fmt.Sprintf("%d imported, 0 of them without a usable password; %d skipped", users-first, first); !strings.HasPrefix(out, want) || count() != users {
		t.Errorf("then: %d accounts, %q, want %q", count(), out, want)
	}
}

func TestUserExport(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	out, _ := c.do(0, "user", "export")
	var emails []account.Email
	for line := range strings.Lines(out) {
		var a account.Profile
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		emails = append(emails, a.Email)
	}
	if diff := cmp.Diff([]account.Email{"root@example.org", "ada@example.org"}, emails); diff != "" || strings.Contains(out, "a hash") {
		t.Errorf("%s%s", diff, out)
	}
	if out, _ := c.do(0, "user", "export", "--format", "csv", "--hashes"); strings.Count(out, "\n") != 3 || !strings.Contains(out, ",{},a hash\n") {
		t.Errorf("got %s", out)
	}
	c.do(exitUsage, "user", "export", "--format", "xml")
	c.do(exitUsage, "user", "export", "--format", "csv", "--output", "json")
}
