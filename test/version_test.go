package test_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
)

// A checkout is a copy of the source with its own Git history.
type checkout struct {
	*testing.T

	dir string
	env []string
}

// newCheckout returns a checkout with one commit that contains the files.
func newCheckout(t *testing.T, files ...string) checkout {
	t.Helper()
	c := checkout{t, t.TempDir(), append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"GATEWAY_VERSION=", "GOFLAGS=-buildvcs=true")}
	for _, file := range files {
		if err := os.MkdirAll(filepath.Join(c.dir, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "cp", "-R", filepath.Join("..", file), filepath.Join(c.dir, file)).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	c.write(".gitignore", "/build/\n")
	c.do("git", "init", "--quiet")
	c.commit()
	return c
}

func (c checkout) write(file, text string) {
	c.Helper()
	path := filepath.Join(c.dir, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

func (c checkout) commit() {
	c.Helper()
	c.do("git", "add", "--all")
	c.do("git", "commit", "--quiet", "--allow-empty", "--message", "x")
}

// do runs a program in the checkout and returns its output.
func (c checkout) do(args ...string) string {
	c.Helper()
	var problems bytes.Buffer
	cmd := exec.CommandContext(c.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = c.dir, c.env, &problems
	out, err := cmd.Output()
	if err != nil {
		c.Fatalf("%q: %v\n%s%s", args, err, out, &problems)
	}
	return strings.TrimSpace(string(out))
}

// TestVersion_OfTheScriptIsThatOfGo compares the output of scripts/version with the
// version that Go stamps into a build of the same checkout.
func TestVersion_OfTheScriptIsThatOfGo(t *testing.T) {
	t.Parallel()
	c := newCheckout(t, "scripts/version", "shared/foundation/version/version.go")
	c.write("go.mod", "module github.com/voiceassist/gateway\n\ngo 1.26.0\n")
	c.write("main.go", `package main

import "github.com/voiceassist/gateway/shared/foundation/version"

func main() { print(version.String()) }
`)
	for _, step := range []struct {
		name string
		do   func()
		want string // COMMIT is the commit's hash
	}{
		{"a commit before any tag", c.commit, `v0\.0\.0-\d{14}-COMMIT`},
		{"changes", func() { c.write("new", "") }, `v0\.0\.0-\d{14}-COMMIT\+dirty`},
		{"a tag", func() { c.commit(); c.do("git", "tag", "v1.2.3-rc.1") }, `v1\.2\.3-rc\.1\+COMMIT`},
		{"a commit after a tag of a candidate", c.commit, `v1\.2\.3-rc\.1\.0\.\d{14}-COMMIT`},
		{"a tag of a release, which others stand beside", func() { c.do("git", "tag", "v1.2.3"); c.do("git", "tag", "latest") }, `v1\.2\.3\+COMMIT`},
		{"a tag, and changes", func() { c.write("new", "x") }, `v1\.2\.3\+COMMIT\.dirty`},
		{"a commit after a tag of a release", c.commit, `v1\.2\.4-0\.\d{14}-COMMIT`},
	} {
		step.do()
		binary := filepath.Join(t.TempDir(), "tell")
		c.do("go", "build", "-o", binary, ".")
		out, err := exec.CommandContext(t.Context(), binary).CombinedOutput()
		script := c.do("scripts/version")
		want := "^" + strings.ReplaceAll(step.want, "COMMIT", c.do("git", "rev-parse", "HEAD")[:12]) + "$"
		if err != nil || string(out) != script || !regexp.MustCompile(want).MatchString(script) {
			t.Errorf("%s: the script prints %s and Go %s, %v; want %s", step.name, script, out, err, want)
		}
	}
	if err := os.RemoveAll(filepath.Join(c.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	if out := c.do("scripts/version"); out != "" {
		t.Errorf("without a history the script prints %q", out)
	}
}

// TestVersion_IsOneEverywhere builds the gateway in a checkout, the image's without its
// history, and a function as SAM does, and checks that all report the same version.
func TestVersion_IsOneEverywhere(t *testing.T) {
	t.Parallel()
	c := newCheckout(t, "scripts/version", "scripts/compile", "cmd", "docs", "functions", "shared", "go.mod", "go.sum", "Makefile", "samconfig.toml")
	want := c.do("scripts/version")
	c.env = append(c.env, "GOFLAGS=-buildvcs=false") // the linker sets the version, not Go
	c.do("make", "gateway")
	binary := filepath.Join(c.dir, "build", "gateway")
	if got := c.do(binary, "version"); got != want || strings.Contains(got, "dirty") {
		t.Errorf("gateway version prints %s, want %s", got, want)
	}
	if got := c.do(binary, "--version"); got != "gateway version "+want {
		t.Errorf("gateway --version prints %s", got)
	}
	metrics := porttest.Address(t)
	p := startProgram(t, binary, t.TempDir(), nil, "METRICS_ADDR="+metrics)
	var document struct {
		Info struct {
			Version string `json:"version"`
		} `json:"info"`
	}
	if _, body := get(t, p.client, p.https+"/openapi.json"); json.Unmarshal([]byte(body), &document) != nil || document.Info.Version != want {
		t.Errorf("/openapi.json has the version %q", document.Info.Version)
	}
	for url, text := range map[string]string{
		p.https + "/docs":                want + "</title>",
		"http://" + metrics + "/metrics": `gateway_build_info{version="` + want + `"} 1`,
	} {
		if _, body := get(t, p.client, url); !strings.Contains(body, text) {
			t.Errorf("%s does not contain %s", url, text)
		}
	}
	if !strings.Contains(p.stdout.String(), `"version":"`+want+`"`) {
		t.Errorf("the log does not contain %s", want)
	}

	if err := os.RemoveAll(filepath.Join(c.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	c.env = append(c.env, "GATEWAY_VERSION="+want, "CGO_ENABLED=0")
	command := regexp.MustCompile(`(?s)go build .*?\./cmd/gateway`).FindString(read(t, "Dockerfile"))
	_, args, _ := strings.Cut(read(t, "Dockerfile"), "\nARG GATEWAY_VERSION\n")
	given, handed := compose(t).Services["gateway"].Build.Args["GATEWAY_VERSION"]
	if !strings.Contains(args, command) || !handed || given != nil {
		t.Error("the build of the image does not set the version")
	}
	image := filepath.Join(c.dir, "image")
	c.do("sh", "-c", strings.Replace(command, "/out/gateway", image, 1))
	if got := c.do(image, "version"); got != want {
		t.Errorf("the image reports %s, want %s", got, want)
	}
	artifacts := t.TempDir()
	c.do("make", "build-JwksFunction", "ARTIFACTS_DIR="+artifacts, "LAMBDA_GOARCH="+runtime.GOARCH)
	bootstrap, err := os.ReadFile(filepath.Join(artifacts, "bootstrap"))
	if err != nil || !bytes.Contains(bootstrap, []byte(want)) {
		t.Errorf("a function does not contain its version %s: %v", want, err)
	}
	if !strings.Contains(read(t, "scripts/sam"), "export GATEWAY_VERSION") {
		t.Error("the SAM build does not set the version")
	}
}
