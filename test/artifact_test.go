package test_test

import (
	"archive/zip"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

const (
	module = "github.com/voiceassist/gateway/"

	// maxZip limits the packed size of a function, which Lambda fetches at each cold start.
	maxZip = 5_200_000 // bytes
)

// An artifact is what Lambda gets for one function.
type artifact struct {
	Go           string // version
	Size, Zipped int64  // bytes
}

// inspect describes what Lambda will run from the folder. It returns an error unless the
// folder holds a static executable named bootstrap, built from pkg for the processor
// goarch, and beside it at most the digest of the parameters.
func inspect(folder, pkg, goarch string) (artifact, error) {
	var a artifact
	entries, err := os.ReadDir(folder)
	if err != nil {
		return a, err
	}
	for _, e := range entries {
		if e.Name() != "bootstrap" && e.Name() != "parameters" {
			return a, fmt.Errorf("holds %s, which the function does not need", e.Name())
		}
	}
	path := filepath.Join(folder, "bootstrap")
	file, err := os.Stat(path)
	if err != nil {
		return a, err
	}
	if file.Mode().Perm()&0o555 != 0o555 {
		return a, fmt.Errorf("bootstrap has the mode %v, so not every user may run it", file.Mode())
	}
	a.Size = file.Size()
	if err := runs(path, goarch); err != nil {
		return a, err
	}
	if a.Go, err = builtFrom(path, pkg, goarch); err != nil {
		return a, err
	}
	a.Zipped, err = zipped(folder)
	if err == nil && a.Zipped > maxZip {
		err = fmt.Errorf("is %d bytes packed, more than %d", a.Zipped, maxZip)
	}
	return a, err
}

// runs returns an error if the executable does not run on the processor without other
// files.
func runs(path, goarch string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[goarch]
	if f.Machine != want {
		return fmt.Errorf("is for %v, want %v", f.Machine, want)
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC }) {
		return errors.New("is linked dynamically")
	}
	return nil
}

// builtFrom checks the output of go version -m and returns the version of Go.
func builtFrom(path, pkg, goarch string) (string, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", err
	}
	if info.Path != module+pkg {
		return "", fmt.Errorf("was built from %s, want %s", info.Path, module+pkg)
	}
	want := map[string]string{
		"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": goarch, "-tags": faastest.Tags, "-trimpath": "true",
	}
	for _, s := range info.Settings {
		if w, ok := want[s.Key]; ok && s.Value != w {
			return "", fmt.Errorf("was built with %s=%s, want %s", s.Key, s.Value, w)
		}
		delete(want, s.Key)
	}
	if len(want) > 0 {
		return "", fmt.Errorf("was built without %v", want)
	}
	return info.GoVersion, nil
}

// zipped returns the size of the folder as a ZIP file.
func zipped(folder string) (int64, error) {
	var n counter
	w := zip.NewWriter(&n)
	if err := w.AddFS(os.DirFS(folder)); err != nil {
		return 0, err
	}
	err := w.Close()
	return int64(n), err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func TestArtifact_RefusesWhatLambdaCannotRun(t *testing.T) {
	t.Parallel()
	const hello = "shared/faas/testdata/hello"
	build := func(t *testing.T, goarch string, flags ...string) string {
		t.Helper()
		folder := t.TempDir()
		args := append([]string{"build", "-trimpath", "-buildvcs=false", "-tags", faastest.Tags}, flags...)
		cmd := exec.CommandContext(t.Context(), "go", append(args, "-o", filepath.Join(folder, "bootstrap"), "../"+hello)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return folder
	}
	good := build(t, "amd64")
	if a, err := inspect(good, hello, "amd64"); err != nil || a.Size < 1<<20 || a.Zipped >= a.Size || a.Go == "" {
		t.Errorf("a valid artifact: got %+v, %v", a, err)
	}
	copied := func(t *testing.T, mode os.FileMode, beside string) string {
		t.Helper()
		folder := t.TempDir()
		in, err := os.Open(filepath.Join(good, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := os.OpenFile(filepath.Join(folder, "bootstrap"), os.O_CREATE|os.O_WRONLY, mode)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, beside), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	for _, test := range []struct {
		name, want  string
		folder      string
		pkg, goarch string
	}{
		{"nothing", "no such file", t.TempDir(), hello, "amd64"},
		{"of another processor", "is for EM_X86_64", good, hello, "arm64"},
		{"of another function", "was built from", good, "functions/login/bootstrap", "amd64"},
		{"linked dynamically", "is linked dynamically", build(t, "amd64", "-buildmode=pie"), hello, "amd64"},
		{"with the RPC mode of old", "-tags", build(t, "amd64", "-tags="), hello, "amd64"},
		{"that may not be run", "has the mode", copied(t, 0o644, "parameters"), hello, "amd64"},
		{"with the repository around it", "holds .env", copied(t, 0o755, ".env"), hello, "amd64"},
	} {
		if _, err := inspect(test.folder, test.pkg, test.goarch); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("an artifact %s: got %v, want %q", test.name, err, test.want)
		}
	}
}
