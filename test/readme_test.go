package test_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// TestQuickStart runs the commands of docs/quick-start.md, and compares their output with
// the page. It does so again with the accounts that exist by then, after an attempt to
// start a second gateway beside it, and a third time after a restart of the gateway.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	quick := guide{
		page: "docs/quick-start.md", serve: []string{}, devcloud: true,
		programs: map[string]string{"make": `[ "$*" = run ]`}, // the gateway already runs beside the commands
	}
	all, s := blocks(t, quick.page, read(t, quick.page)), quick.open(t)
	outputs, err := s.play(t, all)
	quick.compare(t, all, outputs, err)
	startSecondGateway(t, s.p, filepath.Join(s.dir, ".data"))

	again := registered(slices.Clone(all))
	for i, b := range again {
		if strings.Contains(b.text, "user create --admin") {
			again[i].exit, again[i].lang = 1, "text"
			again[i].output = "root@example.com has an account already; gateway user set-role root@example.com admin changes its role"
		}
	}
	for round := 2; round <= 3; round++ {
		outputs, err := s.play(t, again)
		quick.compare(t, again, outputs, err)
		if round == 2 {
			if code := s.p.stop(t); code != 0 {
				t.Errorf("after SIGTERM: exit code %d, want 0\n%s", code, s.p.stderr)
			}
			s.start(t)
		}
	}
}

// startSecondGateway starts a second gateway on the addresses and the data of p. It must exit
// with a clear message and leave p's accounts alone.
func startSecondGateway(t *testing.T, p *process, dir string) {
	t.Helper()
	cmd := devcloudCommand(t)
	cmd.Dir = dir
	cmd.Env = append(serveEnv(dir, usualLimits()...), "HTTPS_ADDR="+strings.TrimPrefix(p.https, "https://"))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "address already in use: stop the process that listens there, perhaps another gateway, or set HTTPS_ADDR to another address\n") {
		t.Errorf("a second gateway: got %v, want an error about the addresses\n%s", err, out)
	}
}

// TestDemo runs scripts/demo twice; it waits until the Nextcloud account is active.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startWithDevcloud(t, dir, usualLimits()...)
	for range 2 {
		demo(t, t.TempDir(), "GATEWAY="+p.https, "CACERT="+filepath.Join(dir, "tls", "gateway.pem"))
	}
}

// TestDemo_FindsTheGatewayOfCompose runs it against a gateway configured as in
// docker-compose.yml, with a docker that only answers what the demo asks.
func TestDemo_FindsTheGatewayOfCompose(t *testing.T) {
	t.Parallel()
	dir, bin := t.TempDir(), t.TempDir()
	p := start(t, dir, nil, append(append(usualLimits(), listen(t, newNextcloud(t))...),
		"DATABASE_URL="+database(t), "JWT_SECRET="+keyring.Generate().Reveal(), "HTTPS_ADDR=:0")...)
	docker := `#!/bin/sh
case "$*" in
"compose ps --status running --quiet gateway") echo 0123456789ab ;;
*) echo "docker $*: what is that?" >&2; exit 1 ;;
esac
`
	writeExecutable(t, filepath.Join(bin, "docker"), docker)
	project := t.TempDir()
	certificate, err := os.ReadFile(filepath.Join(dir, "tls", "gateway.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(project, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		".env": "HTTPS_PORT=" + p.https[strings.LastIndex(p.https, ":")+1:] + "\n", "secrets/ca.pem": string(certificate),
	} {
		if err := os.WriteFile(filepath.Join(project, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		demo(t, project, "PATH="+bin+":"+os.Getenv("PATH"))
	}
}

// demo runs scripts/demo in a folder.
func demo(t *testing.T, dir string, env ...string) {
	t.Helper()
	script, err := filepath.Abs("../scripts/demo")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"status":"active"`) ||
		!strings.Contains(string(out), `"total":5368709120`) || !strings.HasSuffix(string(out), "Everything works.\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
