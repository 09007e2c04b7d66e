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

// described returns the names of the settings that fit.
func described(fits func(settings.Setting) bool) []string {
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

// same tells what is on one list alone.
func same(t *testing.T, name string, list []string, otherName string, other []string) {
	t.Helper()
	compare(t, name, list, otherName, other)
	compare(t, otherName, other, name, list)
}

// TestSettings_AreDescribed compares the descriptions with what each program reads.
func TestSettings_AreDescribed(t *testing.T) {
	t.Parallel()
	ofSystem := func(s settings.Setting) bool { return s.System && s.IsReadBy(settings.Binary) } // where CAROOT is unset
	same(t, "what the binary asks for", append(asked(t), described(ofSystem)...), "the descriptions", described(readBy(settings.Binary)))
	same(t, "the source of the functions", inSource(t, linked(t)), "the descriptions", described(readBy(settings.Functions)))

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
	same(t, "the source", inSource(t, all), "the descriptions",
		described(func(s settings.Setting) bool { return s.IsReadBy(settings.Binary) || s.IsReadBy(settings.Functions) }))

	taken := []string{"COMPOSE_PROFILES"} // compose itself reads it
	for _, name := range named(t, "docker-compose.yml", `\$\{([A-Z_]+)`) {
		if !slices.Contains(described(readBy(settings.Binary)), name) {
			taken = append(taken, name)
		}
	}
	same(t, "docker-compose.yml", taken, "the descriptions", described(readBy(settings.Compose)))
	compare(t, "template.yaml", named(t, "template.yaml", `(?m)^ {8,10}([A-Z]+_[A-Z_]+):`), "the descriptions", described(readBy(settings.Functions)))
	same(t, "what a secret of AWS holds", secrets.Settings(), "the descriptions", described(func(s settings.Setting) bool { return s.SecretsManager }))
}

// linked returns the folders of the packages that functions link.
func linked(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if and .Module .Module.Main}}{{.Dir}}{{end}}", "./functions/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	// The package functions, and what tests import, are of the binary and of tests.
	return slices.DeleteFunc(strings.Fields(string(out)), func(dir string) bool {
		return strings.HasSuffix(dir, "test") || strings.HasSuffix(dir, "/functions") || strings.HasSuffix(dir, "/redislimit") || strings.HasSuffix(dir, "/serve")
	})
}

// inSource returns the names in the source of the folders that look like variables.
func inSource(t *testing.T, folders []string) []string {
	t.Helper()
	pattern := regexp.MustCompile(`"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|DEBUG|CAROOT|HOME|GOMAXPROCS|LocalAppData)"(\+"_FILE")?`)
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
			t.Errorf("%s is %q by default, and described as %q", s.Name, s.Default, s.Unset)
		}
		switch s.Kind {
		case settings.Number, settings.Boolean, settings.Choice:
			if s.Default == "" && s.Unset == "" || s.Values == "" {
				t.Errorf("%s has the default %q and the values %q; is it declared by what describe lists?", s.Name, s.Default, s.Values)
			}
		default:
		}
	}
}

// TestSettings_AreDocumentedEverywhere holds that the reference and .env.example are what
// the binary prints.
func TestSettings_AreDocumentedEverywhere(t *testing.T) {
	t.Parallel()
	for file, args := range map[string][]string{"docs/configuration.md": {"config", "docs"}, ".env.example": {"config", "example"}} {
		var out, wrong strings.Builder
		if code := run(t.Context(), args, os.LookupEnv, &out, &wrong); code != 0 {
			t.Fatal(wrong.String())
		}
		if diff := cmp.Diff(out.String(), text(t, file)); diff != "" {
			t.Errorf("%s is not what `gateway %s` prints; run `go run ./cmd/gateway %[2]s > %[1]s` (-printed +file):\n%s", file, strings.Join(args, " "), diff)
		}
	}
}

// TestCompose_PassesEverySetting sets every setting in turn, as .env would, and
// looks for the value in the container of the gateway.
func TestCompose_PassesEverySetting(t *testing.T) {
	t.Parallel()
	for _, s := range describe().All() {
		name, kept := s.Name, s.Compose != ""
		if s.System || !s.IsReadBy(settings.Binary) {
			continue
		}
		const value = "as set in .env"
		env := map[string]string{name: value}
		if name == "SSL_CERT_FILE" {
			env["SSL_KEY_FILE"] = value
		}
		got, handed := container(t, "gateway", env)[name]
		if handed && got == value == kept {
			t.Errorf("%s is handed on: %q; it is described not to be: %v", name, got, kept)
		}
		if !handed && !kept {
			t.Errorf("docker compose drops %s", name)
		}
	}
	for _, service := range []string{"gateway", "migrate"} {
		compare(t, service+" in docker-compose.yml", slices.Collect(maps.Keys(container(t, service, nil))), "the code", asked(t))
	}
	if got := container(t, "gateway", map[string]string{"SSL_CERT_FILE": "/etc/ssl/corporate.pem"})["SSL_CERT_FILE"]; got != "" {
		t.Errorf("the authorities that this machine trusts are looked for in the container: %s", got)
	}
}

// container returns the environment that docker compose gives to a service, where
// env is its own.
func container(t *testing.T, service string, env map[string]string) map[string]string {
	t.Helper()
	var c struct {
		Services map[string]struct {
			Environment map[string]*string `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(text(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) {
		value, ok := env[name]
		if !ok && (strings.HasSuffix(name, "POSTGRES_PASSWORD") || name == "JWT_SECRET" || name == "NEXTCLOUD_ADMIN_PASSWORD") {
			return "must be set", true
		}
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

// A recorder is an environment that knows what was asked for.
type recorder struct {
	set map[string]string

	mu    sync.Mutex
	asked map[string]bool
}

func (r *recorder) lookup(name string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[name] = true
	value, ok := r.set[name]
	return value, ok
}

// A stopper ends what runs as soon as it says something.
type stopper struct {
	io.Writer

	stop context.CancelFunc
}

func (s stopper) Write(p []byte) (int, error) {
	s.stop()
	return s.Writer.Write(p)
}

// asked returns the names of all variables for which the commands of the binary
// ask, under settings with which they ask for every one.
func asked(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	names := map[string]bool{}
	do := func(want int, set map[string]string, args ...string) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var out bytes.Buffer
		r := &recorder{set: map[string]string{"DATA_DIR": dir, "CAROOT": dir}, asked: names}
		maps.Copy(r.set, set)
		if code := run(ctx, args, r.lookup, &out, stopper{&out, stop}); code != want {
			t.Fatalf("gateway %q: %d, want %d\n%s", args, code, want, &out)
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

// compare tells what is on one list and not on the other.
func compare(t *testing.T, name string, list []string, otherName string, other []string) {
	t.Helper()
	for _, item := range slices.Compact(slices.Sorted(slices.Values(list))) {
		if !slices.Contains(other, item) {
			t.Errorf("%s is in %s and not in %s", item, name, otherName)
		}
	}
}

// named returns what the first group of the pattern finds in a file.
func named(t *testing.T, file, pattern string) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text(t, file), -1) {
		names = append(names, m[1])
	}
	return names
}

// text returns a file of the project.
func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
