package test_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCleanClone runs the commands of README and then docs/quick-start.md in a clean copy
// of the project, on a machine with only Go, make and the standard Unix tools. The gateway
// is the one that make run builds and starts there. The .env of docker compose is in the
// way, and must not change anything.
func TestCleanClone(t *testing.T) {
	t.Parallel()
	dir := cleanCopy(t)
	s := &scene{dir: dir, env: append(onlyGoAndMake(t), "HTTPS_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0")}
	makeEnv(t, dir, s.env)
	began := time.Now()
	s.p = makeRun(t, dir, s.env)
	t.Logf("make run listened after %s; it printed:\n%s", time.Since(began).Round(time.Second), s.p.stderr)
	for _, page := range []string{"README.md", "docs/quick-start.md"} {
		s.page = page
		all := blocks(t, page, read(t, page))
		if all[0].text != "make run\n" {
			t.Fatalf("%s begins with %q", page, all[0].text)
		}
		if page != "README.md" { // README has already registered the account
			all = registered(all)
		}
		outputs, err := s.play(t, all[1:])
		s.compare(t, all[1:], outputs, err)
	}
}

// makeEnv runs make env twice: the second time must change nothing. It adds settings to
// .env with which the gateway would not start.
func makeEnv(t *testing.T, dir string, env []string) {
	t.Helper()
	path := filepath.Join(dir, ".env")
	var first []byte
	for range 2 {
		cmd := exec.CommandContext(t.Context(), "make", "env")
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = text
		} else if !bytes.Equal(first, text) {
			t.Error("make env has changed an .env")
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf(".env: %v, %v", info.Mode(), err)
		}
	}
	secrets := regexp.MustCompile(`(?m)^(?:[A-Z_]+_PASSWORD|[A-Z]+_SECRET)=(.{32,})$`).FindAllSubmatch(first, -1)
	if len(secrets) != 5 || bytes.Contains(first, []byte("changeme")) {
		t.Errorf(".env has %d secrets, want 5", len(secrets))
	}
	if err := os.WriteFile(path, append(first, "LOG_LEVEL=nonsense\nNEXTCLOUD_URL=https://nextcloud.invalid\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// registered returns the blocks with the output they print if the account already exists.
func registered(all []block) []block {
	for i, b := range all {
		if strings.Contains(b.text, "/api/auth/register") {
			all[i].lang, all[i].output = "text", `{…"status":409,…"code":"email_taken",…}`
		}
	}
	return all
}

// makeRun runs make run in the folder and waits until the gateway listens. When the test
// ends, so do make and every process it started.
func makeRun(t *testing.T, dir string, env []string) *process {
	t.Helper()
	cmd := exec.Command("make", "run")
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return launch(t, cmd, filepath.Join(dir, ".data", "tls", "gateway.pem"))
}

// cleanCopy returns a folder with the files of a fresh clone, including uncommitted
// changes.
func cleanCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c",
		`cd .. && git ls-files -z --cached --others --exclude-standard --deduplicate |
		tar --null --files-from=- --ignore-failed-read --create | tar --extract --directory "$1"`, "bash", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// onlyGoAndMake returns the environment of a user who has just installed Go and make,
// except that it shares this machine's Go caches.
func onlyGoAndMake(t *testing.T) []string {
	t.Helper()
	bin := t.TempDir()
	for name := range strings.FieldsSeq(`go make curl
		awk base64 basename bash cat chmod cksum cp cut date dirname env expr find grep head id kill ln ls mkdir mktemp mv
		printf pwd rm rmdir sed sh sleep sort tail tar tee test touch tr uname uniq wc xargs`) {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return append([]string{
		"PATH=" + bin, "HOME=" + t.TempDir(), "LANG=C.UTF-8", "BCRYPT_COST=10", "GOFLAGS=-trimpath",
	}, caches(t)...)
}

// caches returns settings that make Go use the module and build caches of this machine.
func caches(t *testing.T) (env []string) {
	t.Helper()
	for _, name := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB"} {
		value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(value)))
	}
	return env
}
