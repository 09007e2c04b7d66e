package test_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestVuln_PassesWithoutTheDatabase runs scripts/vuln with a go command that prints
// govulncheck output. Apart from no findings, only an unreachable database may pass.
func TestVuln_PassesWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, command, want string
		code                int
	}{
		{"no finding", "echo 'No vulnerabilities found.'", "No vulnerabilities found.\n", 0},
		{"a finding", "echo 'Vulnerability #1'; exit 3", "Vulnerability #1\n", 3},
		{"no database", "echo 'govulncheck: fetching vulnerabilities: no such host' >&2; exit 1",
			"vuln: left out: the vulnerability database cannot be reached\n", 0},
		{"code that does not compile", "echo 'govulncheck: loading packages' >&2; exit 1", "govulncheck: loading packages\n", 1},
		{"a finding about fetching", "echo 'fetching vulnerabilities'; exit 3", "fetching vulnerabilities\n", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeExecutable(t, filepath.Join(dir, "scripts/vuln"), read(t, "scripts/vuln"))
			writeExecutable(t, filepath.Join(dir, "go"), "#!/bin/sh\n"+tt.command+"\n")
			cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts/vuln"))
			cmd.Env = append(cmd.Environ(), "GO="+filepath.Join(dir, "go"))
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); string(out) != tt.want || code != tt.code {
				t.Errorf("got %q and exit code %d, want %q and %d", out, code, tt.want, tt.code)
			}
		})
	}
}
