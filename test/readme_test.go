package test_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// changing are the members whose values differ from run to run.
var changing = regexp.MustCompile(`"(id|user_id|access_token|refresh_token|created_at|updated_at|last_login|last_synced_at)":"[^"]*"|"nextcloud_user_id":(null|"[^"]*")`)

// TestReadme runs the commands of README's "Try it" one after the other, as a
// newcomer would, and compares every answer that it shows.
func TestReadme(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, []string{"--dev-nextcloud"}, usualLimits()...)
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Try it")
	section, _, _ = strings.Cut(section, "\n## ")
	const marker = "=== answer ==="
	var script strings.Builder
	var want []string
	for _, block := range regexp.MustCompile("(?s)```(sh|json)\n(.*?)```").FindAllStringSubmatch(section, -1) {
		switch block[1] {
		case "sh":
			script.WriteString(block[2])
		case "json":
			script.WriteString("echo '" + marker + "'\n")
			want = append(want, strings.TrimSpace(block[2]))
		}
	}
	if len(want) != 5 {
		t.Fatalf("README shows %d answers, want 5", len(want))
	}
	commands := strings.NewReplacer(
		"https://localhost:8443", p.https, ".data/tls/", filepath.Join(dir, "tls")+"/",
		"go run ./cmd/gateway", gateway(t),
	).Replace(script.String())
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", commands)
	cmd.Env = append(os.Environ(), "DATA_DIR="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	got := strings.Split(string(out), marker)
	for i, answer := range want {
		same := func(s string) string {
			return ofAWeek.ReplaceAllString(changing.ReplaceAllString(strings.TrimSpace(s), `"$1":"*"`), "$1*")
		}
		if same(got[i]) != same(answer) {
			t.Errorf("README shows\n%s\nthe gateway answers\n%s", answer, got[i])
		}
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
// active.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, []string{"--dev-nextcloud"}, usualLimits()...)
	cmd := exec.Command("../scripts/demo")
	cmd.Env = append(os.Environ(), "GATEWAY="+p.https, "CACERT="+filepath.Join(dir, "tls", "gateway.pem"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"status":"active"`) ||
		!strings.Contains(string(out), `"total":5368709120`) || !strings.HasSuffix(string(out), "All of it works.\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
