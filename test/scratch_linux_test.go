package test_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pressly/goose/v3"
	"golang.org/x/crypto/bcrypt"

	"github.com/voiceassist/gateway/shared/store/sqlite"
)

const (
	scratchUser = 65532  // the user of the image
	manyUsers   = 60_000 // accounts, most with one login
	manyLogins  = 20_000 // logins of one account
)

// TestScratch_NeedsNoTemporaryFolder runs the gateway as in its image: not as root, in a
// root directory that holds only the binary and its data, on a large old database. Every
// migration and statement that sorts must work without a temporary file.
func TestScratch_NeedsNoTemporaryFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	data := filepath.Join(root, "data")
	owner := populate(t, filepath.Join(data, "gateway.db"))
	p := startScratch(t, root)
	admin, person := accessOf(t, p, owner.admin), accessOf(t, p, owner.person)
	ask := func(token, method, path, body string, want int) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, p.https+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		resp, err := p.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s %s: got %d %.300s, %v; want %d", method, path, resp.StatusCode, text, err, want)
		}
		return string(text)
	}
	if list := ask(admin, "GET", "/api/users?q=number%2059999&limit=200", "", 200); !strings.Contains(list, "user59999@example.org") {
		t.Errorf("the search found %.300s", list)
	}
	ask(admin, "GET", "/api/users?skip=50000&limit=200", "", 200)
	ask(person, "GET", "/api/users/me/logins", "", 200)
	ask(person, "POST", "/api/users/change-password",
		fmt.Sprintf(`{"old_password":%q,"new_password":"another horse battery staple"}`, storePassword), 200)
	ask(admin, "DELETE", "/api/users/"+owner.deleted, "", 204) // with all its logins and sessions
	ask(person, "POST", "/api/auth/logout?all=true", "", 204)
	if strings.Contains(p.stdout.String(), `"level":"ERROR"`) {
		t.Error("the log has an error")
	}
	t.Logf("at most %d MiB were resident", p.peakMemory(t)>>20)
}

// storePassword is the password of the accounts that populate creates.
const storePassword = "correct horse battery staple"

// An oldStore names accounts in the database that populate creates.
type oldStore struct{ admin, person, deleted string }

// populate creates a database of the first schema with many rows.
func populate(t *testing.T, path string) oldStore {
	t.Helper()
	db, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.Handle(), os.DirFS("../shared/store/migrations/sqlite"),
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(storePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const numbers = ` FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i FROM n)`
	for _, fill := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO users SELECT '00000000-0000-7000-8000-' || printf('%012d', i), 'user' || i || '@example.org', 'Number ' || i,
			CASE i WHEN 1 THEN 'admin' ELSE 'user' END, '{}', $2, 'user' || i || '@example.org number ' || i, NULL, 1, 1` + numbers,
			[]any{manyUsers, string(hash)}},
		// Accounts 2 and 3 have many logins; every other account has one.
		{`INSERT INTO logins SELECT '11111111-0000-7000-8000-' || printf('%012d', i),
			'00000000-0000-7000-8000-' || printf('%012d', CASE WHEN i <= $2 THEN 2 WHEN i <= 2 * $2 THEN 3 ELSE i - 2 * $2 END),
			0, printf('a browser on device %d, which says a lot about itself', i), '192.0.2.7', i, i * 7919 % 1000003,
			9000000000000000, NULL, NULL` + numbers, []any{manyUsers + 2*manyLogins, manyLogins}},
		{`INSERT INTO audit_events SELECT '22222222-0000-7000-8000-' || printf('%012d', i), i, 'login',
			'00000000-0000-7000-8000-' || printf('%012d', i), NULL, NULL, '192.0.2.7', 'a browser', 'c' || i, ''` + numbers,
			[]any{manyUsers}},
	} {
		if _, err := db.Handle().ExecContext(t.Context(), fill.query, fill.args...); err != nil {
			t.Fatalf("%v in %s", err, fill.query)
		}
	}
	return oldStore{admin: "user1@example.org", person: "user2@example.org", deleted: "00000000-0000-7000-8000-000000000003"}
}

// accessOf returns an access token of the account.
func accessOf(t *testing.T, p *process, email string) string {
	t.Helper()
	var pair struct {
		Access string `json:"access_token"`
	}
	if !call(p, "POST", "/api/auth/login", "", fmt.Sprintf(`{"email":%q,"password":%q}`, email, storePassword), &pair) {
		t.Fatalf("%s cannot log in", email)
	}
	return pair.Access
}

// startScratch starts the gateway in root, which holds its data. If the test does not run
// as root, it becomes root in a user namespace, which some systems forbid.
func startScratch(t *testing.T, root string) *process {
	t.Helper()
	binary, err := os.ReadFile(gateway(t))
	if err != nil {
		t.Fatal(err)
	}
	writeExecutable(t, filepath.Join(root, "gateway"), string(binary))
	cmd := exec.Command("/gateway", "serve")
	cmd.Dir = "/"
	cmd.Env = serveEnv("/data")
	credential := &syscall.Credential{Uid: scratchUser, Gid: scratchUser, NoSetGroups: true}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: credential}
	if os.Geteuid() == 0 {
		own(t, root)
	} else {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: scratchUser, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: scratchUser, HostID: os.Getgid(), Size: 1}}
	}
	// The gateway may write only to its data, as in a read-only image.
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(root, 0o755) })
	return launch(t, cmd, filepath.Join(root, "data", "tls", "gateway.pem"))
}

// own makes the image's user the owner of the data, and the path to it accessible.
func own(t *testing.T, root string) {
	t.Helper()
	err := filepath.Walk(filepath.Join(root, "data"), func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, scratchUser, scratchUser)
	})
	if err != nil {
		t.Fatal(err)
	}
}
