package test_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/voiceassist/gateway/shared/store/storetest"
)

// An installation is a gateway with its data.
type installation struct {
	dir string
	env []string
}

// resident is a user of an installation who has logged in twice and stored a file.
type resident struct {
	name  string
	saved map[string]string // access, refresh: of the first login; access2, refresh2: of the second
}

func (r *resident) login() string {
	return fmt.Sprintf(`{"email":"%s@example.com","password":"correct horse battery staple"}`, r.name)
}

// movesIn registers the user with everything that a backup must contain.
func (r *resident) movesIn(t *testing.T, g target) {
	t.Helper()
	r.saved = map[string]string{}
	bearer := "Authorization: Bearer ${access}"
	play(t, g, []step{
		{name: "register", method: "POST", path: "/api/auth/register", body: r.login(), status: 200},
		{name: "log in", method: "POST", path: "/api/auth/login", body: r.login(), status: 200, save: adaSignsIn.save},
		{name: "log in elsewhere", method: "POST", path: "/api/auth/login", body: r.login(), status: 200,
			save: map[string]string{"access2": "access_token", "refresh2": "refresh_token"}},
		{name: "wait for storage", method: "GET", path: "/api/users/me/nextcloud", header: bearer, status: 200, until: `"active"`},
		{name: "upload", method: "PUT", path: "/api/files/a", header: bearer, body: "a file of " + r.name, status: 201},
		{name: "app password", method: "POST", path: "/api/users/me/nextcloud/app-password", header: bearer,
			body: `{"name":"phone","password":"correct horse battery staple"}`, status: 201},
		{name: "session", method: "POST", path: "/api/sessions", header: bearer, body: `{"title":"of ` + r.name + `"}`, status: 201},
	}, r.saved)
}

// isThere checks that everything works without another login.
func (r *resident) isThere(t *testing.T, g target) {
	t.Helper()
	for _, access := range []string{"${access}", "${access2}"} {
		bearer := "Authorization: Bearer " + access
		play(t, g, []step{
			{name: "who am I", method: "GET", path: "/api/users/me", header: bearer, status: 200, until: r.name + "@example.com"},
			{name: "download", method: "GET", path: "/api/files/a", header: bearer, status: 200, until: "a file of " + r.name},
			{name: "sessions", method: "GET", path: "/api/sessions", header: bearer, status: 200, until: "of " + r.name},
			{name: "logins", method: "GET", path: "/api/users/me/logins", header: bearer, status: 200},
		}, r.saved)
	}
	for _, refresh := range []string{"${refresh}", "${refresh2}"} {
		play(t, g, []step{
			{name: "refresh", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"` + refresh + `"}`, status: 200},
		}, r.saved)
	}
	play(t, g, []step{
		{name: "log in with the password", method: "POST", path: "/api/auth/login", body: r.login(), status: 200, save: adaSignsIn.save},
		{name: "upload", method: "PUT", path: "/api/files/b", header: "Authorization: Bearer ${access}", body: "more", status: 201},
	}, r.saved)
}

// TestBackup_RestoresEverything backs up a gateway that clients write to, and restores the
// backup in an empty place while Nextcloud goes on. Everything that was acknowledged before
// the backup works there without another login, and the audit trail is complete.
func TestBackup_RestoresEverything(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			cloud := listen(t, newNextcloud(t))
			old := installation{t.TempDir(), cloud}
			fresh := installation{filepath.Join(t.TempDir(), "data"), cloud}
			var dump []string
			var empty string
			if engine == "postgres" {
				url := database(t)
				empty = storetest.FromTemplate(t, func(context.Context, string) error { return nil })
				old.env, fresh.env = append([]string{"DATABASE_URL=" + url}, cloud...), append([]string{"DATABASE_URL=" + empty}, cloud...)
				dump = []string{"--", "pg_dump", "--format=custom", url}
			}
			p := start(t, old.dir, nil, old.env...)
			g := p.target()
			people := []*resident{{name: "ada"}, {name: "grace"}, {name: "lin"}}
			for _, r := range people {
				r.movesIn(t, g)
			}
			var writing sync.WaitGroup
			var before written
			reached := make(chan struct{}, 4)
			for i := range 3 {
				writing.Go(func() { write(p, &written{email: fmt.Sprintf("writer%d@example.com", i)}, 5, reached) })
			}
			before.email = "before@example.com"
			account := fmt.Sprintf(`{"email":%q,"password":"correct horse battery staple"}`, before.email)
			if !call(p, "POST", "/api/auth/register", "", account, nil) {
				t.Fatal("cannot register")
			}
			<-reached // all write

			id, err := age.GenerateX25519Identity()
			if err != nil {
				t.Fatal(err)
			}
			file, identity := filepath.Join(t.TempDir(), "gateway.backup"), filepath.Join(t.TempDir(), "key.txt")
			if err := os.WriteFile(identity, []byte(id.String()+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			old.run(t, 0, "audit", "verify") // gives events their places now
			made := old.run(t, 0, append([]string{"backup", "--output", "json", "--recipient", id.Recipient().String(), file}, dump...)...)
			var manifest struct {
				AuditHead string `json:"audit_head"`
			}
			if err := json.Unmarshal([]byte(made), &manifest); err != nil || manifest.AuditHead == "" {
				t.Fatalf("%v in %s", err, made)
			}
			late := &resident{name: "late"} // an orphan in Nextcloud after the restore
			late.movesIn(t, g)
			// A login goes on after the backup, so its token is ahead of the restored row.
			ahead := map[string]string{"refresh": people[2].saved["refresh2"]}
			play(t, g, []step{adaRefreshes, adaRefreshes}, ahead)
			p.kill()
			writing.Wait()

			if out := fresh.run(t, 0, "restore", "--plan", "--identity", identity, file); !strings.Contains(out, "would write "+fresh.dir) {
				t.Errorf("the plan is %s", out)
			}
			if _, err := os.Stat(fresh.dir); err == nil {
				t.Error("the plan wrote something")
			}
			fresh.run(t, 0, "restore", "--identity", identity, file)
			if engine == "postgres" {
				restore := exec.CommandContext(t.Context(), "pg_restore", "--no-owner", "--dbname="+empty, filepath.Join(fresh.dir, "gateway.dump"))
				if out, err := restore.CombinedOutput(); err != nil {
					t.Fatalf("pg_restore: %v\n%s", err, out)
				}
			}
			p = start(t, fresh.dir, nil, fresh.env...)
			g = p.target()
			if out := fresh.run(t, 0, "audit", "verify", "--head", manifest.AuditHead); !strings.Contains(out, "ok: ") {
				t.Errorf("the audit trail: %s", out)
			}
			play(t, g, []step{{name: "a token of a refresh after the backup", method: "POST", path: "/api/auth/refresh",
				body: `{"refresh_token":"${refresh}"}`, status: 401, code: "invalid_token"}}, ahead)
			for _, r := range people {
				r.isThere(t, g) // also the login whose newer token was refused
			}
			if !call(p, "POST", "/api/auth/login", "", account, nil) {
				t.Error("a user who registered before the backup cannot log in")
			}
			if out := fresh.run(t, 0, "nextcloud", "sweep", "--plan"); !strings.Contains(out, "late@example.com") || strings.Contains(out, "ada@example.com") {
				t.Errorf("the comparison with Nextcloud must find late@example.com, and not ada@example.com: %s", out)
			}
			if out := fresh.run(t, 1, "restore", "--identity", identity, file); !strings.Contains(out, "is not empty") {
				t.Errorf("a second restore: %s", out)
			}
		})
	}
}

// run runs a command of the gateway on the installation.
func (i installation) run(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), gateway(t), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"DATA_DIR=" + i.dir, "BCRYPT_COST=10", "HTTP_ADDR=127.0.0.1:1", "PATH=" + os.Getenv("PATH")}, i.env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Errorf("gateway %q exits with %d, want %d: %s", args, code, want, out)
	}
	return string(out)
}

// TestBackup_KilledHalfWay kills the backup while it reads the database. No file looks like
// a backup, and the next backup removes what was left in DATA_DIR.
func TestBackup_KilledHalfWay(t *testing.T) {
	t.Parallel()
	i := installation{dir: t.TempDir(), env: []string{"DATABASE_URL=" + database(t)}}
	dir := t.TempDir()
	file := filepath.Join(dir, "gateway.backup")
	i.run(t, -1, "backup", file, "--", "sh", "-c", "echo part of a dump; kill -KILL $PPID")
	names := func(dir string) (names []string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if got := names(dir); len(got) != 1 || !strings.HasSuffix(got[0], ".partial") {
		t.Errorf("left %q, want a file that says it is partial", got)
	}
	i.run(t, 1, "restore", filepath.Join(dir, names(dir)[0]))
	i.run(t, 0, "backup", file, "--", "echo", "a dump")
	if got := names(i.dir); strings.Contains(fmt.Sprint(got), ".backup") {
		t.Errorf("DATA_DIR has %q, want no copies of the database", got)
	}
	i.run(t, 1, "backup", file, "--", "echo", "a dump") // the name is taken
}

func TestRestore_Refuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i := installation{dir: dir}
	if out, code := command(t, dir, "correct horse battery staple", nil, "user", "create", "ada@example.com"); code != 0 {
		t.Fatal(out)
	}
	file, sealed := filepath.Join(t.TempDir(), "gateway.backup"), filepath.Join(t.TempDir(), "sealed.backup")
	i.run(t, 0, "backup", file)
	withInput := func(input string, want int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), gateway(t), args...)
		cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(input)
		cmd.Env = []string{"DATA_DIR=" + dir, "HTTP_ADDR=127.0.0.1:1"}
		if args[0] == "restore" {
			cmd.Env[0] += "/new"
		}
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("gateway %q exits with %d, want %d: %s", args, code, want, out)
		}
		return string(out)
	}
	withInput("a passphrase\n", 0, "backup", "--passphrase", sealed)
	for _, tt := range []struct {
		input string
		args  []string
		want  string
	}{
		{"another one\n", []string{"--passphrase", sealed}, "the passphrase or identity is not the one of the backup"},
		{"", []string{"--passphrase", sealed}, "standard input is empty"},
		{"", []string{sealed}, "the backup is encrypted"},
		{"a passphrase\n", []string{"--passphrase", file}, "the backup is not encrypted"},
	} {
		if out := withInput(tt.input, 1, append([]string{"restore"}, tt.args...)...); !strings.Contains(out, tt.want) {
			t.Errorf("restore %q: got %s, want %q", tt.args, out, tt.want)
		}
	}
	withInput("a passphrase\n", 0, "restore", "--plan", "--passphrase", sealed)

	// Keys of the settings take precedence over those in the backup, and do not open it.
	other := installation{dir: filepath.Join(t.TempDir(), "data"), env: []string{"DATA_SECRET=" + strings.Repeat("another secret ", 4)}}
	p := start(t, dir, nil)
	play(t, p.target(), []step{{name: "log in", method: "POST", path: "/api/auth/login", body: ofAda, status: 200}}, map[string]string{})
	i.run(t, 0, "audit", "verify") // chains the events
	i.run(t, 0, "backup", file+"2")
	if out := other.run(t, 1, "restore", file+"2"); !strings.Contains(out, "is encrypted with other keys") {
		t.Errorf("with other keys: %s", out)
	}
	i.env = []string{"HTTP_ADDR=" + strings.TrimPrefix(p.plain, "http://")}
	i.dir = filepath.Join(t.TempDir(), "data")
	if out := i.run(t, 1, "restore", file); !strings.Contains(out, "a gateway serves on HTTP_ADDR") {
		t.Errorf("while a gateway runs: %s", out)
	}
	if _, err := os.Stat(i.dir); err == nil {
		t.Error("a refused restore left something")
	}

	// An interrupted restore prevents the start.
	if err := os.MkdirAll(filepath.Join(i.dir, ".restore"), 0o700); err != nil {
		t.Fatal(err)
	}
	i.env = nil
	for _, args := range [][]string{{"restore", file}, {"serve"}, {"audit", "list"}} {
		if out := i.run(t, 1, args...); !strings.Contains(out, "contains .restore") {
			t.Errorf("gateway %q after an interrupted restore: %s", args, out)
		}
	}
}
