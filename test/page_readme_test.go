//go:build e2e

package test_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// TestPage_README goes the way of README.md for somebody who has never seen the project:
// make run, and the rest in the browser, with the words of the steps.
func TestPage_README(t *testing.T) {
	t.Parallel()
	dir := cleanCopy(t)
	// make run would build them as [TestCleanClone] does.
	env := append(onlyGoAndMake(t), "HTTPS_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0", "GATEWAY_BINARY="+gateway(t))
	built(t, dir)

	var p pageUser
	steps := []struct {
		text string
		does func()
	}{
		{"`make run`", func() { p.docsPage = &docsPage{process: makeRun(t, dir, env)} }},
		{"Open <https://localhost:8443>.", func() { p = p.process.open(t, filepath.Join(dir, ".data")) }},
		{"Choose “Create an account”, and enter an e-mail address and a password.", func() {
			p.clicks(t, "Create an account")
			p.sees(t, "Create your account")
			p.types(t, "email", herAddress)
			p.types(t, "password", herPassword)
			p.clicks(t, "Create account")
		}},
		{"Choose “Upload files”, or drop a file on the page.", func() {
			p.waits(t, "the button", `[...document.querySelectorAll("button")].some(b => b.innerText === "Upload files")`)
			p.reads(t, "welcome.txt")
			p.chooses(t, saved(t, filepath.Join(t.TempDir(), "first.txt"), []byte("Hello!")))
			p.reads(t, "1 file is uploaded.")
			p.drops(t, saved(t, filepath.Join(t.TempDir(), "second.txt"), []byte("Hello again!")))
			p.waits(t, "the file", `[...document.querySelectorAll("tbody bdi")].some(name => name.innerText === "second.txt")`)
		}},
	}
	written := regexp.MustCompile(`(?m)^\d\. (.*)$`).FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(written) != len(steps) {
		t.Fatalf("README.md has %d steps, want %d", len(written), len(steps))
	}
	for i, step := range steps {
		if !strings.HasPrefix(written[i][1], step.text) {
			t.Fatalf("step %d of README.md is %q, and not %q", i+1, written[i][1], step.text)
		}
		step.does()
	}
}

// built puts the Nextcloud for development where make run looks for it.
func built(t *testing.T, dir string) {
	t.Helper()
	program, err := os.ReadFile(faastest.Program(t, "../cmd/devcloud"))
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "build"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "build", "devcloud"), program, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
}
