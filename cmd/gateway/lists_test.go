package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v3"
)

// The settings that are not on a list, and why.
var (
	notInExample = map[string]string{}
	notInReadme  = map[string]string{}
	notInCompose = map[string]string{
		"DATA_DIR":             "the volume of the image",
		"CAROOT":               "mkcert is not in the image",
		"DATABASE_URL":         "compose's own database",
		"MIGRATE_DATABASE_URL": "compose's own database has one way in",
		"HTTP_ADDR":            "HTTP_PORT",
		"HTTPS_ADDR":           "HTTPS_PORT",
		"NEXTCLOUD_URL":        "compose's own Nextcloud",
	}
	notOfTheBinary = map[string]string{
		"SECRETS_ARNS":                     "functions have no other way to secrets",
		"AWS_ACCESS_KEY_ID":                "Lambda sets it",
		"AWS_SECRET_ACCESS_KEY":            "Lambda sets it",
		"AWS_SESSION_TOKEN":                "Lambda sets it",
		"AWS_REGION":                       "Lambda sets it",
		"AWS_LAMBDA_RUNTIME_API":           "Lambda sets it",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": "for tests",
		"XDG_DATA_HOME":                    "where mkcert looks, unless CAROOT is set",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE":  "Lambda sets it",
	}
	ofComposeAlone = map[string]string{
		"POSTGRES_PASSWORD":           "of the database",
		"NEXTCLOUD_POSTGRES_PASSWORD": "of Nextcloud's database",
		"HTTP_PORT":                   "becomes HTTP_ADDR",
		"HTTPS_PORT":                  "becomes HTTPS_ADDR",
		"NEXTCLOUD_PORT":              "of Nextcloud",
		"COMPOSE_PROFILES":            "compose itself reads it",
	}
)

// TestSettings_AreOnEveryList compares what the code reads with .env.example, with
// README.md, and with what docker compose hands on.
func TestSettings_AreOnEveryList(t *testing.T) {
	t.Parallel()
	code := asked(t)
	example := named(t, ".env.example", `(?m)^#?([A-Z][A-Z0-9_]*)=`)
	compare(t, "the code", code, ".env.example", append(slices.Clone(example), slices.Collect(maps.Keys(notInExample))...))
	compare(t, ".env.example", example, "the code", slices.Concat(code, slices.Collect(maps.Keys(ofComposeAlone))))
	compare(t, "the reasons", slices.Concat(slices.Collect(maps.Keys(notInExample)), slices.Collect(maps.Keys(notInReadme)),
		slices.Collect(maps.Keys(notInCompose))), "the code", code)

	_, table, _ := strings.Cut(text(t, "README.md"), "## Configure it")
	table, _, _ = strings.Cut(table, "\n## ")
	var readme []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(row[1], -1) {
			readme = append(readme, name[1])
		}
	}
	compare(t, "the code", code, "README.md", append(slices.Clone(readme), slices.Collect(maps.Keys(notInReadme))...))
	compare(t, "README.md", readme, "the code", append(slices.Clone(code), "SECRETS_ARNS"))
}

// TestSettings_AreFoundByTheTest holds that asked finds all: the names in the
// source that look like variables are asked for, or stand among the reasons.
func TestSettings_AreFoundByTheTest(t *testing.T) {
	t.Parallel()
	var source []string
	for _, top := range []string{"cmd", "functions", "shared"} {
		err := filepath.WalkDir(filepath.Join("../..", top), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (strings.HasSuffix(d.Name(), "test") || d.Name() == "testdata"):
				return filepath.SkipDir
			case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
				source = append(source, named(t, strings.TrimPrefix(path, "../../"), `"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|DEBUG|CAROOT)"`)...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	compare(t, "the source", source, "asked", slices.Concat(asked(t), slices.Collect(maps.Keys(notOfTheBinary))))
	compare(t, "notOfTheBinary", slices.Collect(maps.Keys(notOfTheBinary)), "the source", source)
}

// TestCompose_HandsOnEverySetting sets every setting in turn, as .env would, and
// looks for the value in the container of the gateway.
func TestCompose_HandsOnEverySetting(t *testing.T) {
	t.Parallel()
	for _, name := range asked(t) {
		_, kept := notInCompose[name]
		const value = "as set in .env"
		env := map[string]string{name: value}
		if name == "SSL_CERT_FILE" {
			env["SSL_KEY_FILE"] = value
		}
		got, handed := container(t, "gateway", env)[name]
		if handed && got == value == kept {
			t.Errorf("%s is handed on: %q; there is a reason not to: %v", name, got, kept)
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
		if _, secret := ofComposeAlone[name]; !ok && (secret || name == "JWT_SECRET" || name == "NEXTCLOUD_ADMIN_PASSWORD") {
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
