package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/voiceassist/gateway/cmd/gateway/internal/settings"
	"github.com/voiceassist/gateway/shared/faas/secrets"
)

// describedSettings returns the names of the described settings for which fits is true.
func describedSettings(fits func(settings.Setting) bool) []string {
	var names []string
	for _, s := range describe().All() {
		if fits(s) {
			names = append(names, s.Name)
		}
	}
	return names
}

func readBy(r settings.Reader) func(settings.Setting) bool {
	return func(s settings.Setting) bool { return s.IsReadBy(r) }
}

// expectEqualSets fails the test for each item that only one of the lists contains.
func expectEqualSets(t *testing.T, name string, list []string, otherName string, other []string) {
	t.Helper()
	expectSubset(t, name, list, otherName, other)
	expectSubset(t, otherName, other, name, list)
}

// TestSettings_AreDescribed compares the described settings with those that each program
// reads.
func TestSettings_AreDescribed(t *testing.T) {
	t.Parallel()
	ofSystem := func(s settings.Setting) bool { return s.System && s.IsReadBy(settings.Binary) } // where CAROOT is unset
	described := describedSettings(readBy(settings.Binary))
	for _, s := range describe().All() {
		if s.File != "" && s.IsReadBy(settings.Binary) {
			described = append(described, s.File)
		}
	}
	expectEqualSets(t, "the settings that the binary reads", append(variablesRead(t), describedSettings(ofSystem)...), "the descriptions", described)
	expectEqualSets(t, "the source of the functions", variablesInSource(t, linkedFolders(t)), "the descriptions", describedSettings(readBy(settings.Functions)))

	var all []string
	for _, top := range []string{"cmd", "functions", "shared"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(path string, d fs.DirEntry, err error) error {
			switch name := d.Name(); {
			case err != nil || !d.IsDir():
				return err
			case strings.HasSuffix(name, "test") || name == "testdata" || path == filepath.Join("../..", "cmd/gateway/internal/settings"):
				return filepath.SkipDir
			}
			all = append(all, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	expectEqualSets(t, "the source", variablesInSource(t, all), "the descriptions",
		describedSettings(func(s settings.Setting) bool { return s.IsReadBy(settings.Binary) || s.IsReadBy(settings.Functions) }))

	var composeFiles []string
	for _, s := range describe().All() {
		if s.File != "" && s.IsReadBy(settings.Compose) {
			composeFiles = append(composeFiles, s.File)
		}
	}
	taken := []string{"COMPOSE_PROFILES", "CERT_NAMES"} // compose itself and scripts/certs read these
	for _, name := range firstGroups(t, "docker-compose.yml", `\$\{([A-Z_]+)`) {
		ofBinary := describedSettings(readBy(settings.Binary))
		if !slices.Contains(ofBinary, name) && !slices.Contains(ofBinary, strings.TrimSuffix(name, "_FILE")) && !slices.Contains(composeFiles, name) {
			taken = append(taken, name)
		}
	}
	expectEqualSets(t, "docker-compose.yml", taken, "the descriptions", describedSettings(readBy(settings.Compose)))
	expectSubset(t, "template.yaml", firstGroups(t, "template.yaml", `(?m)^ {8,10}([A-Z]+_[A-Z_]+):`), "the descriptions", describedSettings(readBy(settings.Functions)))
	expectEqualSets(t, "the settings of Secrets Manager", secrets.Settings(), "the descriptions", describedSettings(func(s settings.Setting) bool { return s.SecretsManager }))
}

// linkedFolders returns the folders of the packages that functions link.
func linkedFolders(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if and .Module .Module.Main}}{{.Dir}}{{end}}", "./functions/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	// Only the binary and tests link package functions, redislimit and serve.
	return slices.DeleteFunc(strings.Fields(string(out)), func(dir string) bool {
		return strings.HasSuffix(dir, "test") || strings.HasSuffix(dir, "/functions") || strings.HasSuffix(dir, "/redislimit") || strings.HasSuffix(dir, "/serve")
	})
}

// variablesInSource returns the strings in the source of the folders that look like names
// of environment variables.
func variablesInSource(t *testing.T, folders []string) []string {
	t.Helper()
	pattern := regexp.MustCompile(`"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|DEBUG|REGISTRATION|CAROOT|HOME|GOMAXPROCS|LocalAppData)"(\+"_FILE")?`)
	var names []string
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.HasPrefix(source, []byte("//go:build attacktest\n")) {
				continue // see package defense
			}
			for _, m := range pattern.FindAllSubmatch(source, -1) {
				if name := string(m[1]); !strings.HasSuffix(file, "_test.go") {
					names = append(names, name)
					if strings.HasPrefix(name, "JWT_") && (strings.HasSuffix(name, "_KEY")) {
						names = append(names, name+"_FILE") // see token.Read
					}
				}
			}
		}
	}
	return names
}

// TestSettings_HaveADefault checks that describe loads the declarations of all packages: every
// number, boolean and choice that the binary reads has a default and accepted values.
func TestSettings_HaveADefault(t *testing.T) {
	t.Parallel()
	for _, s := range describe().All() {
		if s.System || !s.IsReadBy(settings.Binary) {
			continue
		}
		if s.Default != "" && s.Unset != "" {
			t.Errorf("%s has both the default %q and a meaning if unset, %q", s.Name, s.Default, s.Unset)
		}
		switch s.Kind {
		case settings.Number, settings.Boolean, settings.Choice:
			if s.Default == "" && s.Unset == "" || s.Values == "" {
				t.Errorf("%s has the default %q and the values %q; does describe list the package that declares it?", s.Name, s.Default, s.Values)
			}
		default:
		}
	}
}

// TestSettings_AreDocumentedEverywhere compares the reference and .env.example with what
// the binary prints.
func TestSettings_AreDocumentedEverywhere(t *testing.T) {
	t.Parallel()
	for file, args := range map[string][]string{"docs/configuration.md": {"config", "docs"}, ".env.example": {"config", "example"}} {
		var out, wrong strings.Builder
		if code := run(t.Context(), args, os.LookupEnv, &out, &wrong); code != 0 {
			t.Fatal(wrong.String())
		}
		if diff := cmp.Diff(out.String(), projectFile(t, file)); diff != "" {
			t.Errorf("%s is not what `gateway %s` prints; run `go run ./cmd/gateway %[2]s > %[1]s` (-printed +file):\n%s", file, strings.Join(args, " "), diff)
		}
	}
}

// TestCompose_PassesEverySetting sets each setting as in .env, and looks for the value in
// the environment of the gateway's container.
func TestCompose_PassesEverySetting(t *testing.T) {
	t.Parallel()
	for _, s := range describe().All() {
		name, kept := s.Name, s.Compose != ""
		if s.System || !s.IsReadBy(settings.Binary) {
			continue
		}
		const value = "as set in .env"
		env := map[string]string{name: value}
		got, handed := containerEnv(t, "gateway", env)[name]
		if handed && got == value == kept {
			t.Errorf("compose passes %s on as %q; the description says that compose sets it: %t", name, got, kept)
		}
		if !handed && !kept {
			t.Errorf("compose does not pass %s on", name)
		}
		if s.File != "" && !kept && containerEnv(t, "gateway", map[string]string{s.File: value})[s.File] != value {
			t.Errorf("compose does not pass %s on", s.File)
		}
	}
	for _, service := range []string{"gateway", "migrate"} {
		expectSubset(t, service+" in docker-compose.yml", slices.Collect(maps.Keys(containerEnv(t, service, nil))), "the code", variablesRead(t))
	}
}

// containerEnv returns the environment that docker compose gives to a service if compose's
// own environment is env.
func containerEnv(t *testing.T, service string, env map[string]string) map[string]string {
	t.Helper()
	var c struct {
		Services map[string]struct {
			Environment map[string]*string `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(projectFile(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
	given := map[string]string{}
	for name, value := range c.Services[service].Environment {
		if value == nil {
			given[name], _ = lookup(name)
			continue
		}
		var err error
		if given[name], err = template.SubstituteWithOptions(*value, lookup, template.WithoutLogging); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return given
}

// A recorder is an environment that records which variables are read.
type recorder struct {
	set map[string]string

	mu   sync.Mutex
	read map[string]bool
}

func (r *recorder) lookup(name string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[name] = true
	value, ok := r.set[name]
	return value, ok
}

// A stopper calls stop when something is written.
type stopper struct {
	io.Writer

	stop context.CancelFunc
}

func (s stopper) Write(p []byte) (int, error) {
	s.stop()
	return s.Writer.Write(p)
}

// variablesRead returns the names of all variables that the commands of the binary read,
// with settings that make them read every one.
func variablesRead(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	names := map[string]bool{}
	do := func(want int, set map[string]string, args ...string) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var out bytes.Buffer
		r := &recorder{set: map[string]string{"DATA_DIR": dir, "CAROOT": dir}, read: names}
		maps.Copy(r.set, set)
		if code := run(ctx, args, r.lookup, &out, stopper{&out, stop}); code != want {
			t.Fatalf("gateway %q: exit code %d, want %d\n%s", args, code, want, &out)
		}
	}
	key := filepath.Join(dir, "key.pem")
	do(0, nil, "keys", "generate", "--algorithm", "EdDSA", "--out", key)
	do(0, map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "HTTPS_ADDR": "127.0.0.1:0", "JWT_ALGORITHM": "EdDSA", "JWT_PRIVATE_KEY_FILE": key,
		"NEXTCLOUD_URL": "https://127.0.0.1:1", "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": "x",
		"RATE_LIMIT_STORE": "redis", "REDIS_URL": "redis://127.0.0.1:1",
	}, "serve")
	unreachable := map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/x"}
	do(1, unreachable, "migrate", "status")
	do(1, unreachable, "audit", "list")
	return slices.Sorted(maps.Keys(names))
}

// expectSubset fails the test for each item of list that other does not contain.
func expectSubset(t *testing.T, name string, list []string, otherName string, other []string) {
	t.Helper()
	for _, item := range slices.Compact(slices.Sorted(slices.Values(list))) {
		if !slices.Contains(other, item) {
			t.Errorf("%s is in %s and not in %s", item, name, otherName)
		}
	}
}

// firstGroups returns what the first group of the pattern matches in a file of the project.
func firstGroups(t *testing.T, file, pattern string) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(projectFile(t, file), -1) {
		names = append(names, m[1])
	}
	return names
}

// projectFile returns the contents of a file of the project.
func projectFile(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
