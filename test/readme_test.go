package test_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/keyring"
)

// changing are the members whose values differ from run to run.
var changing = regexp.MustCompile(`"(id|user_id|access_token|refresh_token|created_at|updated_at|last_login|last_synced_at)":"[^"]*"|"nextcloud_user_id":(null|"[^"]*")`)

// A readme is the commands of README's "Try it", and the answers that it shows.
type readme struct {
	commands string // an answer is preceded by [answered]
	answers  []string
}

const answered = "=== answer ==="

func tryIt(t *testing.T) (r readme) {
	t.Helper()
	_, section, _ := strings.Cut(read(t, "README.md"), "## Try it")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```(sh|json)\n(.*?)```").FindAllStringSubmatch(section, -1) {
		switch block[1] {
		case "sh":
			r.commands += block[2]
		case "json":
			r.commands += "echo '" + answered + "'\n"
			r.answers = append(r.answers, strings.TrimSpace(block[2]))
		}
	}
	if len(r.answers) != 5 {
		t.Fatalf("README shows %d answers, want 5", len(r.answers))
	}
	return r
}

// play runs the commands as a newcomer would, one after the other up to the first
// that fails, against p with its data in dir.
func (r readme) play(t *testing.T, p *process, dir string) (answers []string, stderr string, err error) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.NewReplacer(
		"https://localhost:8443", p.https, ".data/tls/", filepath.Join(dir, "tls")+"/",
		"go run ./cmd/gateway", gateway(t),
	).Replace(r.commands))
	cmd.Env = append(os.Environ(), "DATA_DIR="+dir)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	return strings.Split(string(out), answered), problems.String(), err
}

// same is an answer without what differs from run to run.
func same(answer string) string {
	return ofAWeek.ReplaceAllString(changing.ReplaceAllString(strings.TrimSpace(answer), `"$1":"*"`), "$1*")
}

// TestReadme runs the commands of README's "Try it", and compares every answer
// that it shows. It does so again with the accounts that are there by then, after
// somebody tried to start a second gateway beside it, and a third time after the
// gateway was started again.
func TestReadme(t *testing.T) {
	t.Parallel()
	dir, all := t.TempDir(), tryIt(t)
	p := start(t, dir, []string{"--dev-nextcloud"}, usualLimits()...)
	for round := 1; round <= 3; round++ {
		got, problems, err := all.play(t, p, dir)
		if len(got) != len(all.answers)+1 {
			t.Fatalf("round %d: %v\n%s%s", round, err, got, problems)
		}
		for i, want := range all.answers {
			if round > 1 && i == 0 {
				if !strings.Contains(got[i], `"status":409,`) || !strings.Contains(got[i], `"code":"email_taken"`) {
					t.Errorf("round %d: registered again: %s", round, got[i])
				}
				continue
			}
			if same(got[i]) != same(want) {
				t.Errorf("round %d: README shows\n%s\nthe gateway answers\n%s", round, want, got[i])
			}
		}
		if !strings.Contains(got[len(got)-1], `"name":"hello.txt"`) {
			t.Errorf("round %d: the folder is\n%s", round, got[len(got)-1])
		}
		const there = "root@example.com has an account already; gateway user set-role root@example.com admin gives it the role\n"
		if round == 1 && err != nil || round > 1 && problems != there {
			t.Errorf("round %d: %v\n%s", round, err, problems)
		}
		switch round {
		case 1:
			besideItself(t, p, dir)
		case 2:
			if code := p.stop(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.stderr)
			}
			p = start(t, dir, []string{"--dev-nextcloud"}, usualLimits()...)
		}
	}
}

// besideItself starts a second gateway on the addresses and the data of p, which
// must end with a clear message and leave p's accounts alone.
func besideItself(t *testing.T, p *process, dir string) {
	t.Helper()
	cmd := exec.Command(gateway(t), "serve", "--dev-nextcloud")
	cmd.Dir = dir
	cmd.Env = append(serveEnv(dir, usualLimits()...), "HTTPS_ADDR="+strings.TrimPrefix(p.https, "https://"))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "address already in use: stop what listens there, perhaps a gateway, or set HTTPS_ADDR to another address\n") {
		t.Errorf("a second gateway: %v\n%s", err, out)
	}
}

// TestAPIGuide runs the commands of docs/api.md, which fail unless each is
// answered with success.
func TestAPIGuide(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil, usualLimits()...)
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		script.WriteString(block[1])
	}
	commands := strings.NewReplacer(
		"https://localhost:8443", p.https, ".data/tls/", filepath.Join(dir, "tls")+"/",
	).Replace(script.String())
	out, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands).CombinedOutput()
	if err != nil || strings.Count(commands, "api ") < 7 {
		t.Errorf("%v\n%s\n%s", err, commands, out)
	}
}

// TestDemo plays scripts/demo, which waits until the account in Nextcloud is
// active, two times.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, []string{"--dev-nextcloud"}, usualLimits()...)
	for range 2 {
		demo(t, "GATEWAY="+p.https, "CACERT="+filepath.Join(dir, "tls", "gateway.pem"))
	}
}

// TestDemo_FindsTheGatewayOfCompose plays it against a gateway that is configured
// as docker-compose.yml does, with a docker that knows only what the demo asks.
func TestDemo_FindsTheGatewayOfCompose(t *testing.T) {
	t.Parallel()
	dir, bin := t.TempDir(), t.TempDir()
	p := start(t, dir, nil, append(append(usualLimits(), listen(t, newNextcloud(t))...),
		"DATABASE_URL="+database(t), "JWT_SECRET="+keyring.Generate().Reveal(), "HTTPS_ADDR=:0")...)
	docker := `#!/bin/sh
case "$*" in
"compose ps --status running --quiet gateway") echo 0123456789ab ;;
"compose cp gateway:/data/tls/gateway.pem "*) cp "$DATA/tls/gateway.pem" "$4" ;;
*) echo "docker $*: what is that?" >&2; exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	port := p.https[strings.LastIndex(p.https, ":")+1:]
	for range 2 {
		demo(t, "PATH="+bin+":"+os.Getenv("PATH"), "DATA="+dir, "HTTPS_PORT="+port)
	}
}

func demo(t *testing.T, env ...string) {
	t.Helper()
	script, err := filepath.Abs("../scripts/demo")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(script)
	cmd.Dir = t.TempDir() // no .env
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"status":"active"`) ||
		!strings.Contains(string(out), `"total":5368709120`) || !strings.HasSuffix(string(out), "All of it works.\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
