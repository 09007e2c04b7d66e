package test_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// fakeGo stands in for go. It compiles 30 packages; the last one waits until a reader
// opens the pipe "wait", if it exists.
const fakeGo = `#!/bin/sh
case $1 in
list) i=0; while [ $i -lt ${PACKAGES:-30} ]; do i=$((i+1)); echo example.org/p$i; done ;;
build)
	i=0; while [ $i -lt ${PACKAGES:-30} ]; do i=$((i+1)); echo example.org/p$i >&2; done
	[ ! -p wait ] || read -r _ <wait
	[ -z "$BROKEN" ] || { echo "main.go:1:1: no such thing" >&2; exit 3; }
	printf '#!/bin/sh\necho $$ "$@"\n' >"$4"
	chmod +x "$4" ;;
esac
`

// compileDir returns a folder with the scripts and a fake go, and a function that returns
// the command to run a script there.
func compileDir(t *testing.T) (dir string, run func(script string, args ...string) *exec.Cmd) {
	t.Helper()
	dir = t.TempDir()
	for _, folder := range []string{"scripts", "bin", "build", "cmd", "docs", "functions", "shared"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{
		"bin/go": fakeGo, "go.mod": "", "go.sum": "",
		"scripts/compile": read(t, "scripts/compile"), "scripts/run": read(t, "scripts/run"),
	}
	for name, text := range files {
		writeExecutable(t, filepath.Join(dir, name), text)
	}
	return dir, func(script string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", script), args...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}
		return cmd
	}
}

func TestCompile_AnnouncesLongBuilds(t *testing.T) {
	t.Parallel()
	_, run := compileDir(t)
	cmd := run("compile", "build/gateway", "./cmd/gateway")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stdout.Len() > 0 {
		t.Fatalf("got %v, %q and %q, want success and nothing on stdout", err, &stdout, &stderr)
	}
	want := regexp.MustCompile(`^Compiling 30 packages\. The first time this takes some minutes .*\nCompiled in \d+ seconds\.\n$`)
	if !want.MatchString(stderr.String()) {
		t.Errorf("got %q, want the announcement and the duration", &stderr)
	}

	cmd = run("compile", "build/gateway", "./cmd/gateway")
	cmd.Env = append(cmd.Env, "PACKAGES=3")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("with 3 packages: got %v, %q, want no output", err, out)
	}

	cmd = run("compile", "build/gateway", "./cmd/gateway")
	cmd.Env = append(cmd.Env, "BROKEN=1")
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 3 || !strings.HasSuffix(string(out), "\nmain.go:1:1: no such thing\n") {
		t.Errorf("with a compile error: got %v, %q, want exit code 3 and the error", err, out)
	}
}

// TestCompile_PrintsProgressLines runs a build that continues only after its
// progress has been printed.
func TestCompile_PrintsProgressLines(t *testing.T) {
	t.Parallel()
	dir, run := compileDir(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "wait"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := run("compile", "build/gateway", "./cmd/gateway")
	cmd.Env = append(cmd.Env, "COMPILE_EVERY=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if lines.Text() == "compiling 30 of 30: example.org/p30" && !shown {
			shown = true
			if err := os.WriteFile(filepath.Join(dir, "wait"), []byte("go on\n"), 0); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || !shown {
		t.Errorf("got %v, and the progress was printed: %t", err, shown)
	}
}

func TestRun_CompilesOnlyOutdatedBinaries(t *testing.T) {
	t.Parallel()
	dir, run := compileDir(t)
	progress := func() string {
		t.Helper()
		cmd := run("run", "--devcloud", "serve", "--recheck-nextcloud")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, &stderr)
		}
		// The shell replaced itself with the program, so signals reach it.
		if want := strconv.Itoa(cmd.Process.Pid) + " build/gateway serve --recheck-nextcloud\n"; stdout.String() != want {
			t.Errorf("got %q, want %q", &stdout, want)
		}
		return stderr.String()
	}
	if progress() == "" {
		t.Error("the first run compiled nothing")
	}
	if got := progress(); got != "" {
		t.Errorf("the second run compiled again: %s", got)
	}
	writeExecutable(t, filepath.Join(dir, "cmd", "main.go"), "package main")
	if progress() == "" {
		t.Error("a change was not compiled")
	}

	cmd := run("run", "version")
	cmd.Env = append(cmd.Env, "GATEWAY_BINARY="+filepath.Join(dir, "build", "gateway"), "BROKEN=1")
	writeExecutable(t, filepath.Join(dir, "cmd", "main.go"), "package other")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != strconv.Itoa(cmd.Process.Pid)+" version\n" {
		t.Errorf("with GATEWAY_BINARY: got %v, %q", err, out)
	}
	cmd = run("run", "version")
	cmd.Env = append(cmd.Env, "GATEWAY_BINARY=/nowhere")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "GATEWAY_BINARY is /nowhere") {
		t.Errorf("with a missing GATEWAY_BINARY: got %v, %q", err, out)
	}
}
