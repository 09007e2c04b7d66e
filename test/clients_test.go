//go:build clients

package test_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clientTime bounds what a client does with the gateway.
const clientTime = 3 * time.Minute

// forClients starts a gateway as a newcomer has it, with the administrator of the
// collections. It returns its certificate, too.
func forClients(t *testing.T) (p *process, certificate string) {
	t.Helper()
	dir := t.TempDir()
	p = start(t, dir, []string{"--dev-nextcloud"}, usualLimits()...)
	if out, code := command(t, dir, adminPassword, nil, "user", "create", "--admin", "root@example.com"); code != 0 {
		t.Fatal(out)
	}
	return p, filepath.Join(dir, "tls", "gateway.pem")
}

const adminPassword = "correct horse battery staple"

// runClient runs a program in dir and returns what it prints.
func runClient(t *testing.T, dir string, env []string, program ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program[0], err, out)
	}
	return string(out)
}

// ending returns the last n lines of text.
func ending(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// absolute returns where the path from the root of the project leads.
func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// TestClients_Postman runs the Postman collection with newman, which fails when a
// test of the collection does.
func TestClients_Postman(t *testing.T) {
	t.Parallel()
	p, certificate := forClients(t)
	out := runClient(t, absolute(t, "clients/postman"), nil,
		absolute(t, "build/clients-runners/node_modules/.bin/newman"), "run", "gateway.postman_collection.json",
		"--environment", "local.postman_environment.json", "--env-var", "base_url="+p.https,
		"--env-var", "admin_password="+adminPassword, "--ssl-extra-ca-certs", certificate, "--color", "off")
	t.Log("newman\n" + ending(out, 20))
}

// TestClients_Bruno runs the Bruno collection with bru, which fails when a test of
// the collection does.
func TestClients_Bruno(t *testing.T) {
	t.Parallel()
	p, certificate := forClients(t)
	out := runClient(t, absolute(t, "clients/bruno"), nil,
		absolute(t, "build/clients-runners/node_modules/.bin/bru"), "run", "-r", "--env", "local",
		"--env-var", "base_url="+p.https, "--env-var", "admin_password="+adminPassword,
		"--cacert", certificate, "--ignore-truststore", "--noproxy")
	t.Log("bru\n" + ending(out, 11))
}
