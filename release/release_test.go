package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// whole says that the tests build everything, each time with an empty build cache.
var whole = os.Getenv("RELEASE_CHECK") != ""

// checkout copies the files of the project into a new repository with one commit, and
// returns its folder.
func checkout(t *testing.T) string {
	t.Helper()
	list, err := run(t.Context(), "..", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(list, "\x00") {
		from := filepath.Join("..", name)
		info, err := os.Stat(from)
		if name == "" || errors.Is(err, os.ErrNotExist) { // removed, and not yet committed
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "--all"},
		{"-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "x"},
		{"tag", "v1.2.3"},
	} {
		if _, err := run(t.Context(), dir, "git", args...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// makeRelease runs make release in the folder under the umask, and returns its output.
func makeRelease(t *testing.T, dir, umask string, env ...string) (string, error) {
	t.Helper()
	args := []string{"-c", "umask " + umask + `; exec make release "$@"`, "sh"}
	if !whole {
		args = append(args, "PLATFORMS=linux/amd64", "FUNCTIONS=jwks")
	}
	cmd := exec.CommandContext(t.Context(), "sh", args...)
	cmd.Dir = dir
	// make exports the version of the repository that the test runs in.
	// What the Makefile that runs the tests exports is not for this one.
	inherited := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GATEWAY_VERSION=") || strings.HasPrefix(v, "MAKE")
	})
	cmd.Env = append(inherited, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// readFiles returns the files of the folder.
func readFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if files[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestRelease_HasTheSameBytes builds a commit twice, in two folders, by two users, in two
// time zones and with different settings of Go, and compares all files. Then it inspects
// them.
func TestRelease_HasTheSameBytes(t *testing.T) {
	t.Parallel()
	first := checkout(t)
	second := filepath.Join(t.TempDir(), "a folder with another name")
	if _, err := run(t.Context(), first, "git", "clone", "--quiet", first, second); err != nil {
		t.Fatal(err)
	}
	printed, err := run(t.Context(), "..", "go", "env", "GOMODCACHE", "GOCACHE")
	if err != nil {
		t.Fatal(err)
	}
	modules, cache, _ := strings.Cut(printed, "\n")
	shared := []string{"GOMODCACHE=" + modules, "GOCACHE=" + cache}
	if whole {
		shared[1] = "GOCACHE=" + t.TempDir()
	}
	if out, err := makeRelease(t, first, "022", append(shared, "HOME="+t.TempDir(), "TZ=UTC", "GOFLAGS=-buildvcs=false")...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	other := append(shared, "HOME="+t.TempDir(), "TZ=Asia/Kolkata", "LANG=de_DE.UTF-8", "SOURCE_DATE_EPOCH=1")
	if whole { // these also apply to the program that builds, and so take minutes
		other = append(other, "GOCACHE="+t.TempDir(), "GOFLAGS=-tags=other", "GOAMD64=v3", "GOEXPERIMENT=jsonv2")
	}
	if out, err := makeRelease(t, second, "077", other...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := readFiles(t, filepath.Join(first, "build", "release"))
	again := readFiles(t, filepath.Join(second, "build", "release"))
	if got, want := slices.Sorted(maps.Keys(again)), slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) || len(want) < 8 {
		t.Fatalf("the second build has the files %q, the first %q", got, want)
	}
	for name, data := range files {
		if !bytes.Equal(data, again[name]) {
			t.Errorf("%s differs between two builds", name)
		}
	}
	for name, test := range map[string]func(*testing.T, map[string][]byte){
		"sums": testSums, "archive": testArchive, "function": testFunction, "deploy": testDeploy, "image": testImage, "sbom": testSBOM,
	} {
		t.Run(name, func(t *testing.T) { test(t, files) })
	}
	t.Run("changes", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(second, "LICENSE"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := makeRelease(t, second, "022", shared...); err == nil || !strings.Contains(out, "the working tree has changes") {
			t.Errorf("a release with changes: %v\n%s", err, out)
		}
		if out, err := makeRelease(t, first, "022", append(shared, "GATEWAY_VERSION=v9.9.9")...); err == nil || !strings.Contains(out, "unset GATEWAY_VERSION") {
			t.Errorf("a release with another version: %v\n%s", err, out)
		}
		if got := readFiles(t, filepath.Join(second, "build", "release")); len(got) != len(files) {
			t.Errorf("a release that failed left %d files, want the %d of the last one", len(got), len(files))
		}
		if left, err := filepath.Glob(filepath.Join(second, "build", "release-*")); err != nil || len(left) > 0 {
			t.Errorf("a release that failed left %q, %v", left, err)
		}
	})
}

// TestToolchain_IgnoresSettings checks that settings of Go do not reach go build.
func TestToolchain_IgnoresSettings(t *testing.T) {
	for name, value := range map[string]string{"GOFLAGS": "-tags=other", "GOEXPERIMENT": "jsonv2", "GOAMD64": "v3", "GOFIPS140": "latest", "CGO_ENABLED": "1"} {
		t.Setenv(name, value)
	}
	tool, env, err := toolchain(t.Context(), "..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool, "env", "GOFLAGS", "GOEXPERIMENT", "GOAMD64", "CGO_ENABLED", "GOFIPS140", "GOENV")
	cmd.Env = env
	out, err := cmd.Output()
	if want := "-buildvcs=true -mod=readonly\n\nv1\n0\noff\n\n"; err != nil || string(out) != want {
		t.Errorf("go build has the settings %q, %v; want %q", out, err, want)
	}
}

// testSums compares the digests with the command that docs/releases.md shows.
func testSums(t *testing.T, files map[string][]byte) {
	page, err := os.ReadFile("../docs/releases.md")
	if err != nil {
		t.Fatal(err)
	}
	command := strings.Fields(regexp.MustCompile(`(?m)^sha256sum .*$`).FindString(string(page)))
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(t.Context(), dir, command[0], command[1:]...)
	if err != nil || strings.Count(out, ": OK") != len(files)-1 {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

// unpack returns the files of a compressed tar file.
func unpack(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func testArchive(t *testing.T, files map[string][]byte) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "gateway.tar.gz")
	if err := os.WriteFile(archive, files["gateway-v1.2.3-linux-amd64.tar.gz"], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), dir, "tar", "xzf", archive); err != nil {
		t.Fatal(err)
	}
	unpacked := filepath.Join(dir, "gateway-v1.2.3-linux-amd64")
	for _, name := range []string{"LICENSE", "THIRD-PARTY-LICENSES.txt", "CHANGELOG.md"} {
		if info, err := os.Stat(filepath.Join(unpacked, name)); err != nil || info.Size() < 1000 {
			t.Errorf("the archive has no %s: %v", name, err)
		}
	}
	out, err := run(t.Context(), unpacked, "./gateway", "version")
	if err != nil || !strings.HasPrefix(out, "v1.2.3+") {
		t.Errorf("gateway version prints %q, %v", out, err)
	}
	out, err = run(t.Context(), unpacked, "go", "version", "-m", "gateway")
	for _, want := range []string{"github.com/voiceassist/gateway\tv1.2.3", "vcs.modified=false", "GOAMD64=v1", "CGO_ENABLED=0", "-trimpath=true"} {
		if !strings.Contains(out, want) {
			t.Errorf("go version -m does not print %s (%v)", want, err)
		}
	}
	for _, other := range []string{"GOEXPERIMENT", "-tags"} {
		if strings.Contains(out, other) {
			t.Errorf("the gateway was built with %s", other)
		}
	}
}

func testFunction(t *testing.T, files map[string][]byte) {
	for _, arch := range []string{"amd64", "arm64"} {
		data := files["gateway-v1.2.3-lambda-"+arch+"-jwks.zip"]
		r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode() != 0o755 {
			t.Errorf("the function for %s is %v", arch, r.File)
		}
	}
}
