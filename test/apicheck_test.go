//go:build schemathesis

package test_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAPI_IsAsDescribed has schemathesis generate requests from docs/openapi.json,
// valid and invalid ones, and compare the responses of a gateway with a Nextcloud
// with the document: as a user and as an administrator, each for half of
// API_CHECK_TIME.
func TestAPI_IsAsDescribed(t *testing.T) {
	total, err := time.ParseDuration(cmp.Or(os.Getenv("API_CHECK_TIME"), "5m"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := start(t, dir, []string{"--dev-nextcloud"})
	const root = "root@example.com"
	if out, code := command(t, dir, "correct horse battery staple", nil, "user", "create", "--admin", root); code != 0 {
		t.Fatal(out)
	}
	certificate := filepath.Join(dir, "tls", "gateway.pem")
	for _, role := range []string{"user", "admin"} {
		t.Run(role, func(t *testing.T) {
			// The last response, and the start of the program, take their time, too.
			ctx, cancel := context.WithTimeout(t.Context(), total/2+2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, inProject(t, "build/schemathesis/bin/schemathesis"), "--no-color",
				"run", inProject(t, "docs/openapi.json"), "--url", p.https, "--tls-verify", certificate,
				"--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--warnings", "off",
				"--max-time", strconv.Itoa(max(1, int(total.Seconds()/2))), "--continue-on-failure",
				"--request-timeout", "30", "--generation-database", "none", "--workers", "2")
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "PYTHONPATH="+inProject(t, "scripts"), "PYTHONDONTWRITEBYTECODE=1",
				"SCHEMATHESIS_HOOKS=api_check_hooks", "API_CHECK_ROLE="+role, "API_CHECK_ROOT="+root,
				"API_CHECK_URL="+p.https, "API_CHECK_CERTIFICATE="+certificate)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("schemathesis: %v\n%s", err, out)
			}
			t.Logf("schemathesis, as %s:\n%s", role, tail(string(out), 20))
		})
	}
}

// inProject returns the absolute path of a file of the project.
func inProject(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// tail returns the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
