//go:build schemathesis

package test_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAPI_IsAsDescribed has schemathesis generate valid and invalid requests from
// docs/openapi.json, and checks the responses of a gateway with a Nextcloud against that
// document. It runs as a user and as an administrator, each for half of API_CHECK_TIME.
func TestAPI_IsAsDescribed(t *testing.T) {
	total, err := time.ParseDuration(cmp.Or(os.Getenv("API_CHECK_TIME"), "5m"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := startWithDevcloud(t, dir)
	const root = "root@example.com"
	if out, code := command(t, dir, "correct horse battery staple", nil, "user", "create", "--admin", root); code != 0 {
		t.Fatal(out)
	}
	certificate := filepath.Join(dir, "tls", "gateway.pem")
	for _, role := range []string{"user", "admin"} {
		t.Run(role, func(t *testing.T) {
			// Leave extra time for the program to start and for the last response.
			ctx, cancel := context.WithTimeout(t.Context(), total/2+2*time.Minute)
			defer cancel()
			arguments := []string{
				"--no-color", "run", inProject(t, "docs/openapi.json"), "--url", p.https, "--tls-verify", certificate,
				"--checks", "all", "--warnings", "off",
				"--max-time", strconv.Itoa(max(1, int(total.Seconds()/2))), "--continue-on-failure",
				"--request-timeout", "30", "--generation-database", "none",
			}
			phases := []string{"Examples", "Coverage", "Fuzzing", "Stateful"}
			if seed := os.Getenv("API_CHECK_SEED"); seed != "" {
				phases = phases[:2] // the other phases send more requests the more time there is
				arguments = append(arguments, "--seed", seed)
			}
			arguments = append(arguments, "--phases", strings.ToLower(strings.Join(phases, ",")))
			cmd := exec.CommandContext(ctx, inProject(t, "build/schemathesis/bin/schemathesis"), arguments...)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "PYTHONPATH="+inProject(t, "scripts"), "PYTHONDONTWRITEBYTECODE=1",
				"SCHEMATHESIS_HOOKS=api_check_hooks", "API_CHECK_ROLE="+role, "API_CHECK_ROOT="+root,
				"API_CHECK_URL="+p.https, "API_CHECK_CERTIFICATE="+certificate)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("schemathesis: %v\n%s", err, out)
			}
			if why := unfinished(string(out), phases); why != "" {
				t.Errorf("schemathesis did not test all: %s; give it more time", why)
			}
			t.Logf("schemathesis, as %s:\n%s", role, tail(string(out), 20))
		})
	}
}

// unfinished reports which phases a run without failures left out, or "" if it left out
// none.
func unfinished(report string, phases []string) string {
	operations := regexp.MustCompile(`Selected: (\d+)/(\d+)\s+Tested: (\d+)`).FindStringSubmatch(report)
	if operations == nil || operations[1] != operations[2] || operations[1] != operations[3] {
		return fmt.Sprintf("operations: %q", operations)
	}
	for _, phase := range phases {
		if !strings.Contains(report, "✅ "+phase+"\n") {
			return "the phase " + phase
		}
	}
	return ""
}

// inProject returns the absolute path of a file in the project.
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
