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

const (
	units     = "../deploy/systemd/"
	installed = "/usr/local/bin/gateway"
)

// directives returns the lines of a unit by name, in order.
func directives(t *testing.T, file string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(units + file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			all[name] = append(all[name], value)
		}
	}
	return all
}

// TestSystemd_UnitIsHardened has systemd check the unit, with and without the drop-in, where
// systemd is installed. It rates the exposure from 0 to 100.
func TestSystemd_UnitIsHardened(t *testing.T) {
	t.Parallel()
	unit := directives(t, "gateway.service")
	for name, want := range map[string]string{
		"Type": "exec", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE",
		"ExecStart": installed + " serve", "ExecReload": "/bin/kill -HUP $MAINPID", "User": "gateway",
	} {
		if got := unit[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed, so systemd has not checked the unit")
		return
	}
	for _, files := range [][]string{{"gateway.service"}, {"gateway.service", "postgresql.conf"}} {
		var text []byte
		for _, file := range files {
			part, err := os.ReadFile(units + file)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, part...)
		}
		whole := filepath.Join(t.TempDir(), "gateway.service")
		// verify looks for the program and the user.
		here := strings.NewReplacer(installed, gateway(t), "User=gateway", "User=root", "Group=gateway", "Group=root").Replace(string(text))
		if err := os.WriteFile(whole, []byte(here), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", whole).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%q: systemd-analyze verify: %v\n%s", files, err, out)
		}
		if err := os.WriteFile(whole, text, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--no-pager", "--offline=yes", "--threshold=20", whole).CombinedOutput()
		if err != nil {
			t.Errorf("%q: systemd-analyze security: %v\n%s", files, err, out)
		}
	}
}

// TestSystemd_CredentialsAreSettings has the gateway check the settings of the drop-in.
func TestSystemd_CredentialsAreSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	drop := directives(t, "postgresql.conf")
	var names []string
	for _, line := range drop["LoadCredential"] {
		name, file, _ := strings.Cut(line, ":")
		if file != "/etc/gateway/"+name || !slices.Contains(drop["Environment"], name+"_FILE=%d/"+name) {
			t.Errorf("the credential %s is in %s, and in no setting", name, file)
		}
		names = append(names, name)
	}
	values := map[string]string{
		"DATABASE_URL": "postgres://gateway:3kq8r7vzp1@db/gateway?sslmode=verify-full", "REDIS_URL": "redis://redis:6379/0",
		"JWT_SECRET": keyring.Generate().Reveal(), "DATA_SECRET": keyring.Generate().Reveal(),
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(values[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var env []string
	for _, setting := range drop["Environment"] {
		env = append(env, strings.ReplaceAll(setting, "%d", dir))
	}
	if out, code := command(t, dir, "", env, "config", "check", "--set"); code != 0 || strings.Contains(out, "warning") {
		t.Errorf("config check: exit code %d, want 0 and no warning\n%s", code, out)
	}
}
