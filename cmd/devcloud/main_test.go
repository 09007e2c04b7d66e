package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain is devcloud when a test calls itself by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "devcloud" {
		main()
	}
	os.Exit(m.Run())
}

// devcloud returns a command that runs devcloud in an empty folder.
func devcloud(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Args[0], cmd.Dir = "devcloud", t.TempDir()
	return cmd
}

func TestAlone_PrintsSettingsAndRunsUntilASignal(t *testing.T) {
	t.Parallel()
	cmd := devcloud(t)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for lines := bufio.NewScanner(out); len(settings) < 3 && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		settings[name] = value
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, settings["NEXTCLOUD_URL"]+"/ocs/v2.php/cloud/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("OCS-APIRequest", "true")
	req.SetBasicAuth(settings["NEXTCLOUD_ADMIN_USER"], settings["NEXTCLOUD_ADMIN_PASSWORD"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "admin") {
		t.Errorf("list users: %s, %s, %v", resp.Status, body, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestCommand_ReceivesTheSettingsAndSetsTheExitCode(t *testing.T) {
	t.Parallel()
	cmd := devcloud(t, "sh", "-c", `echo "$NEXTCLOUD_URL $NEXTCLOUD_ADMIN_USER ${#NEXTCLOUD_ADMIN_PASSWORD}"; exit 3`)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	url, _, _ := strings.Cut(string(out), " ")
	if cmd.ProcessState.ExitCode() != 3 || !strings.HasPrefix(url, "http://127.0.0.1:") || !strings.HasSuffix(string(out), " admin 64\n") {
		t.Errorf("exit code %d, %q", cmd.ProcessState.ExitCode(), out)
	}
	if want := "FOR DEVELOPMENT ONLY: a Nextcloud in memory runs at " + url + "; it loses everything when it stops\n"; stderr.String() != want {
		t.Errorf("stderr is %q, want %q", &stderr, want)
	}

	cmd = devcloud(t, "no-such-program")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), `devcloud: exec: "no-such-program"`) {
		t.Errorf("exit code %d, %s", cmd.ProcessState.ExitCode(), out)
	}
}

func TestCommand_ReceivesSignals(t *testing.T) {
	t.Parallel()
	cmd := devcloud(t, "sh", "-c", "echo ready; exec cat")
	if _, err := cmd.StdinPipe(); err != nil { // open, so that cat does not end by itself
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got, want := cmd.ProcessState.ExitCode(), 128+int(syscall.SIGTERM); got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

// Accounts may be linked with the Nextcloud that is configured, and another one
// would replace it silently.
func TestCommand_IsNotRunIfANextcloudIsConfigured(t *testing.T) {
	t.Parallel()
	const url = "NEXTCLOUD_URL=https://cloud.example.org"
	for name, configure := range map[string]func(*exec.Cmd) error{
		"in the environment": func(c *exec.Cmd) error { c.Env = append(os.Environ(), url); return nil },
		"in .env":            func(c *exec.Cmd) error { return os.WriteFile(filepath.Join(c.Dir, ".env"), []byte(url), 0o600) },
	} {
		cmd := devcloud(t, "echo", "it runs")
		if err := configure(cmd); err != nil {
			t.Fatal(err)
		}
		out, _ := cmd.CombinedOutput()
		if want := "devcloud: NEXTCLOUD_URL is set; a gateway has one Nextcloud\n"; cmd.ProcessState.ExitCode() != 1 || string(out) != want {
			t.Errorf("%s: exit code %d, %q, want %q", name, cmd.ProcessState.ExitCode(), out, want)
		}
	}
}
