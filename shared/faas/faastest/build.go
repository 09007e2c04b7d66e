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

// bootstraps are the executables that this test process built. It is the only mutable
// variable here: a build for each test would cost a second, and package testing has no
// state that all tests of a process share.
var bootstraps buildCache

// Tags are the build tags of functions. The Makefile repeats them.
const Tags = "lambda.norpc,nethttpomithttp2,nopgxregisterdefaulttypes,validator_novalidatefn"

// Build returns the path of the executable of a main package, built as for Lambda. pkg is
// an argument of go build, relative to the folder of the test. Each package is built once
// in a test process. Build is safe for concurrent use.
func Build(tb testing.TB, pkg string) (bootstrap string) {
	tb.Helper()
	return built(tb, pkg, "-tags", Tags)
}

// Program is [Build] for an executable that does not run on Lambda and has HTTP/2; flags
// are passed to go build. If the test runs under the race detector, so does the program,
// which then writes "DATA RACE" to stderr: the test's own detector does not see the
// program.
func Program(tb testing.TB, pkg string, flags ...string) (path string) {
	tb.Helper()
	if raceEnabled() {
		return built(tb, pkg, append(flags, "-race")...)
	}
	return built(tb, pkg, flags...)
}

// raceEnabled reports whether the test runs under the race detector.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func built(tb testing.TB, pkg string, flags ...string) string {
	tb.Helper()
	path, err := bootstraps.get(pkg, flags)
	if err != nil {
		tb.Fatalf("build %s: %v", pkg, err)
	}
	return path
}

// Run runs the tests of a package and then removes what [Build] built:
//
//	func TestMain(m *testing.M) { os.Exit(faastest.Run(m)) }
//
// Without Run, the executables stay in the temporary folder.
func Run(m interface{ Run() int }) int {
	defer bootstraps.clear()
	return m.Run()
}

type buildCache struct {
	mu    sync.Mutex
	dir   string
	built map[string]func() (string, error) // by flags and package
}

func (w *buildCache) get(pkg string, flags []string) (string, error) {
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

func (w *buildCache) compile(pkg string, flags []string, n int) (string, error) {
	dir, err := w.folder()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, fmt.Sprint(n), "bootstrap")
	cmd := exec.Command("go", slices.Concat([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out},
		flags, []string{pkg})...)
	cgo := "CGO_ENABLED=0"
	if slices.Contains(flags, "-race") {
		cgo = "CGO_ENABLED=1" // the race detector needs cgo
	}
	cmd.Env = append(os.Environ(), cgo)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, msg)
	}
	return out, nil
}

func (w *buildCache) folder() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir != "" {
		return w.dir, nil
	}
	dir, err := os.MkdirTemp("", "faastest-")
	w.dir = dir
	return dir, err
}

func (w *buildCache) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir != "" {
		os.RemoveAll(w.dir)
	}
	w.dir, w.built = "", nil
}
