package test_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// firstRelease is the commit of release 0.1.0, for repositories without its tag.
const firstRelease = "6942231a5f42036909bf0bc13c97876262104e0a"

// previousRelease returns the binary of the last release before this commit: that of the
// last tag, or [firstRelease]. It is built once for each checkout. A clone without the
// history has no such release.
func previousRelease(t *testing.T) (program, commit string) {
	t.Helper()
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = ".."
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	commit = firstRelease
	// A tag of this commit is this release, not the one before.
	if tag, err := git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*.[0-9]*.[0-9]*", "HEAD^"); err == nil {
		commit, err = git("rev-list", "-n", "1", tag)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := git("cat-file", "-e", commit+"^{commit}"); err != nil {
		if shallow, err := git("rev-parse", "--is-shallow-repository"); err != nil || shallow != "true" {
			t.Fatalf("the history lacks the previous release, commit %s: %v", commit, err)
		}
		t.Skipf("this clone does not contain the previous release, commit %s: fetch the whole history (git fetch --unshallow)", commit) //nolint:forbidigo // it needs the history
	}
	program, err := filepath.Abs(filepath.Join("../build/previous-release", commit[:12]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err == nil {
		return program, commit
	}
	source := t.TempDir()
	archive := exec.CommandContext(t.Context(), "git", "archive", commit)
	archive.Dir = ".."
	text, err := archive.Output()
	if err != nil {
		t.Fatalf("git archive: %v", err)
	}
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", source)
	unpack.Stdin = bytes.NewReader(text)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	// Compiled like the tests, so that both use the same entries of the build cache. The
	// new name appears when the program is complete.
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program+".new", "./cmd/gateway")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build of the previous release: %v\n%s", err, out)
	}
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
	return program, commit
}

// A version is a running gateway of a release.
type version struct {
	name string
	*process
}

// everyday returns the calls of a user who is registered at one gateway: what clients of
// both releases do.
func everyday(name string) []step {
	account := fmt.Sprintf(`{"email":"%s@example.com","password":"correct horse battery staple"}`, name)
	bearer, pair := "Authorization: Bearer ${access}", adaSignsIn.save
	return []step{
		{name: "register", method: "POST", path: "/api/auth/register", body: account, status: 200},
		{name: "the address is taken", method: "POST", path: "/api/auth/register", body: account, status: 409, code: "email_taken"},
		{name: "wrong password", method: "POST", path: "/api/auth/login", body: "username=" + name + "%40example.com&password=wrong", status: 401},
		{name: "log in", method: "POST", path: "/api/auth/login", body: account, status: 200, save: pair},
		{name: "refresh", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"${refresh}"}`, status: 200, save: pair},
		{name: "who am I", method: "GET", path: "/api/users/me", header: bearer, status: 200, until: name + "@example.com"},
		{name: "change the name", method: "PATCH", path: "/api/users/me", header: bearer, body: `{"full_name":"Name of ` + name + `"}`, status: 200},
		{name: "create a session", method: "POST", path: "/api/sessions", header: bearer, body: `{"title":"one"}`, status: 201, save: map[string]string{"session": "id"}},
		{name: "change it", method: "PATCH", path: "/api/sessions/${session}", header: bearer, body: `{"title":"two"}`, status: 200},
		{name: "list sessions", method: "GET", path: "/api/sessions", header: bearer, status: 200, until: `"two"`},
		{name: "list logins", method: "GET", path: "/api/users/me/logins", header: bearer, status: 200},
		{name: "wait for storage", method: "GET", path: "/api/users/me/nextcloud", header: bearer, status: 200, until: `"active"`},
		{name: "upload", method: "PUT", path: "/api/files/a", header: bearer, body: "of " + name, status: 201},
		{name: "change the password", method: "POST", path: "/api/users/change-password", header: bearer,
			body: `{"old_password":"correct horse battery staple","new_password":"another horse battery staple"}`, status: 200},
		{name: "log in with it", method: "POST", path: "/api/auth/login", body: strings.Replace(account, "correct", "another", 1), status: 200,
			save: map[string]string{"access2": "access_token", "refresh2": "refresh_token"}},
	}
}

// elsewhere returns calls of the same user at the other gateway, with what the first one
// issued, and the end of the account.
func elsewhere(name string) []step {
	bearer := "Authorization: Bearer ${access2}"
	return []step{
		{name: "who am I", method: "GET", path: "/api/users/me", header: bearer, status: 200, until: "Name of " + name},
		{name: "refresh", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"${refresh2}"}`, status: 200,
			save: map[string]string{"access2": "access_token", "refresh2": "refresh_token"}},
		{name: "read the session", method: "GET", path: "/api/sessions/${session}", header: bearer, status: 200, until: `"two"`},
		{name: "download", method: "GET", path: "/api/files/a", header: bearer, status: 200, until: "of " + name},
		{name: "log out", method: "POST", path: "/api/auth/logout", header: "Authorization: Bearer ${access}", status: 204},
		{name: "delete the session", method: "DELETE", path: "/api/sessions/${session}", header: bearer, status: 204},
		{name: "delete the account", method: "DELETE", path: "/api/users/me", header: bearer, body: `{"password":"another horse battery staple"}`, status: 204},
		{name: "it is gone", method: "GET", path: "/api/users/me", header: bearer, status: 401},
	}
}

// TestUpgrade_PreviousReleaseOnTheNewSchema migrates a database with the present binary and
// runs that of the previous release on it, as while servers are replaced one by one, and
// after a return to the previous release.
func TestUpgrade_PreviousReleaseOnTheNewSchema(t *testing.T) {
	t.Parallel()
	program, commit := previousRelease(t)
	secret := "JWT_SECRET=" + keyring.Generate().Reveal()
	for _, engine := range []string{"postgres", "sqlite"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			env := append(listen(t, newNextcloud(t)), secret)
			if engine == "postgres" {
				env = append(env, "DATABASE_URL="+database(t))
			}
			dir := t.TempDir()
			admin(t, dir, env) // the present binary migrates an embedded database
			old := version{"release " + commit[:12], startProgram(t, program, dir, nil, env...)}
			present := version{"this commit", start(t, dir, nil, env...)}
			for i, pair := range [][2]version{{old, present}, {present, old}, {old, old}} {
				name, saved := fmt.Sprintf("user%d", i), map[string]string{}
				t.Logf("%s registers at %s and goes on at %s", name, pair[0].name, pair[1].name)
				play(t, pair[0].target(), everyday(name), saved)
				play(t, pair[1].target(), elsewhere(name), saved)
			}
			saved := map[string]string{}
			for _, v := range []version{old, present} {
				bearer := "Authorization: Bearer ${access}"
				play(t, v.target(), []step{
					{name: "an administrator logs in", method: "POST", path: "/api/auth/login", body: fmt.Sprintf(`{"email":"root@example.com","password":%q}`, strings.TrimSpace(rootPassword)), status: 200, save: adaSignsIn.save},
					{name: "lists", method: "GET", path: "/api/users", header: bearer, status: 200, until: "root@example.com"},
					{name: "searches", method: "GET", path: "/api/users?q=root", header: bearer, status: 200, until: "root@example.com"},
					{name: "creates", method: "POST", path: "/api/users", header: bearer,
						body: fmt.Sprintf(`{"email":"by-%d@example.com","password":"correct horse battery staple"}`, len(v.name)), status: 201, save: map[string]string{"id": "id"}},
					{name: "disables", method: "PATCH", path: "/api/users/${id}", header: bearer, body: `{"disabled":true}`, status: 200},
				}, saved)
			}
			for _, v := range []version{old, present} {
				if code := v.stop(t); code != 0 {
					t.Errorf("%s exits with %d", v.name, code)
				}
			}
			if out, code := command(t, dir, "", env, "audit", "verify"); code != 0 {
				t.Errorf("the audit trail of both: %s", out)
			}
		})
	}
}
