package faastest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bootstraps are those that this test process built. They are the one mutable
// variable here: a build per test would cost a second each, and testing knows
// no value that all tests of a process share.
var bootstraps workshop

// Tags are the build tags of functions; the Makefile has them, too.
const Tags = "lambda.norpc,nethttpomithttp2,nopgxregisterdefaulttypes,validator_novalidatefn"

// Build returns the path of the executable of a main package, given as go build
// takes it from the folder of the test, built as it is for Lambda. Each package
// is built once in a test process, by the first call. Safe for concurrent use.
func Build(tb testing.TB, pkg string) (bootstrap string) {
	tb.Helper()
	return built(tb, pkg, "-tags", Tags)
}

// Program is [Build] for an executable that runs elsewhere than on Lambda, and
// speaks HTTP/2; flags are further flags of go build. Under the race detector it has one itself, which writes "DATA
// RACE" to stderr: the test alone would show it nothing of the program.
func Program(tb testing.TB, pkg string, flags ...string) (path string) {
	tb.Helper()
	if raced() {
		return built(tb, pkg, append(flags, "-race")...)
	}
	return built(tb, pkg, flags...)
}

// raced tells whether the test runs under the race detector.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func built(tb testing.TB, pkg string, flags ...string) string {
	tb.Helper()
	path, err := bootstraps.build(pkg, flags)
	if err != nil {
		tb.Fatalf("build %s: %v", pkg, err)
	}
	return path
}

// Run runs the tests of a package and then removes what [Build] built:
//
//	func TestMain(m *testing.M) { os.Exit(faastest.Run(m)) }
//
// Packages without it leave the executables in the temporary folder.
func Run(m interface{ Run() int }) int {
	defer bootstraps.clear()
	return m.Run()
}

type workshop struct {
	mu    sync.Mutex
	dir   string
	built map[string]func() (string, error) // by flags and package
}

func (w *workshop) build(pkg string, flags []string) (string, error) {
	key := strings.Join(append(slices.Clone(flags), pkg), " ")
	w.mu.Lock()
	once, ok := w.built[key]
	if !ok {
		if w.built == nil {
			w.built = map[string]func() (string, error){}
		}
		n := len(w.built)
		once = sync.OnceValues(func() (string, error) { return w.compile(pkg, flags, n) })
		w.built[key] = once
	}
	w.mu.Unlock()
	return once()
}

func (w *workshop) compile(pkg string, flags []string, n int) (string, error) {
	dir, err := w.folder()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, fmt.Sprint(n), "bootstrap")
	cmd := exec.Command("go", slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out},
		flags, []string{pkg})...)
	cgo := "CGO_ENABLED=0"
	if slices.Contains(flags, "-race") {
		cgo = "CGO_ENABLED=1" // the detector is in C
	}
	cmd.Env = append(os.Environ(), cgo)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, msg)
	}
	return out, nil
}

func (w *workshop) folder() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir != "" {
		return w.dir, nil
	}
	dir, err := os.MkdirTemp("", "faastest-")
	w.dir = dir
	return dir, err
}

func (w *workshop) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir != "" {
		os.RemoveAll(w.dir)
	}
	w.dir, w.built = "", nil
}
