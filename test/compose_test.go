package test_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/config/dotenv"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// A composition is the part of docker-compose.yml that these tests read.
type composition struct {
	Services map[string]service `yaml:"services"`
}

type service struct {
	Image   string `yaml:"image"`
	Command any    `yaml:"command"`
	Build   struct {
		Context string             `yaml:"context"`
		Args    map[string]*string `yaml:"args"`
	} `yaml:"build"`
	Restart     string             `yaml:"restart"`
	ReadOnly    bool               `yaml:"read_only"`
	CapDrop     []string           `yaml:"cap_drop"`
	SecurityOpt []string           `yaml:"security_opt"`
	Ports       []string           `yaml:"ports"`
	Volumes     []string           `yaml:"volumes"`
	Environment map[string]*string `yaml:"environment"` // nil takes the value from .env
	User        string             `yaml:"user"`
	Logging     struct {
		Options map[string]string `yaml:"options"`
	} `yaml:"logging"`
	Healthcheck struct {
		Test    any  `yaml:"test"`
		Disable bool `yaml:"disable"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

// checked reports whether the service has a health check, its own or that of our image.
func (s service) checked() bool {
	return !s.Healthcheck.Disable && (s.Healthcheck.Test != nil || s.Build.Context != "")
}

func TestCompose_UsesOnlyDocumentedVariables(t *testing.T) {
	t.Parallel()
	_, explained := example(t)
	for name := range taken(t) {
		if !slices.Contains(explained, name) {
			t.Errorf("docker-compose.yml uses %s, which .env.example does not explain", name)
		}
	}
}

// TestCompose_ReportsMissingSecrets runs the script of the service secrets, which every
// other service waits for.
func TestCompose_ReportsMissingSecrets(t *testing.T) {
	t.Parallel()
	gate := compose(t).Services["secrets"]
	var secrets []string
	set, _ := example(t)
	for name := range set {
		if strings.HasSuffix(name, "_PASSWORD") || strings.HasSuffix(name, "_SECRET") {
			if set[name] != "" && name != keyring.Variable && name != keyring.DataVariable {
				t.Errorf(".env.example sets %s to a value that nothing rejects", name)
			}
			if name != keyring.DataVariable { // older installations have none
				secrets = append(secrets, name)
			}
		}
	}
	slices.Sort(secrets)
	if got := slices.Sorted(maps.Keys(gate.Environment)); !slices.Equal(got, secrets) {
		t.Errorf("the service secrets checks %v, want %v", got, secrets)
	}
	for _, name := range secrets {
		if got, want := *gate.Environment[name], fmt.Sprintf("${%s:+x}${%[1]s_FILE:+x}", name); got != want {
			t.Errorf("%s: %s, want %s, which contains no secret", name, got, want)
		}
	}
	check := func(set ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(gate.Command.([]any)[0].(string), "$$", "$"))
		cmd.Env = set
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := check("POSTGRES_PASSWORD=x"); err == nil ||
		!strings.Contains(out, ": JWT_SECRET NEXTCLOUD_ADMIN_PASSWORD NEXTCLOUD_POSTGRES_PASSWORD\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := check("POSTGRES_PASSWORD=x", "JWT_SECRET=x", "NEXTCLOUD_ADMIN_PASSWORD=x", "NEXTCLOUD_POSTGRES_PASSWORD=x"); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	for name, s := range compose(t).Services {
		if strings.Contains(s.Image, "postgres") && name != "secrets" && s.DependsOn["secrets"].Condition != "service_completed_successfully" {
			t.Errorf("%s does not wait for the service secrets", name)
		}
	}
}

func TestEnvExample_PlaceholderIsRejected(t *testing.T) {
	t.Parallel()
	set, _ := example(t)
	env := config.Map(set)
	keyring.Load(env)
	setting.Of[keyring.Settings](env)
	for _, name := range []string{keyring.Variable, keyring.DataVariable} {
		if err := env.Err(); err == nil || !strings.Contains(err.Error(), name+" is the placeholder") {
			t.Errorf("%s=%s: got %v, want that it is a placeholder", name, set[name], err)
		}
	}
}

// TestCompose_MountsFilesNamedInTheExample checks that a file named in .env is the
// same in the project folder and in the container, where paths begin at /.
func TestCompose_MountsFilesNamedInTheExample(t *testing.T) {
	t.Parallel()
	files := regexp.MustCompile(`(?m)^#[A-Z_]+_FILE=(.*)$`).FindAllStringSubmatch(read(t, ".env.example"), -1)
	if len(files) < 6 {
		t.Fatalf("got %d files in .env.example, want at least 6", len(files))
	}
	for _, file := range files {
		if !strings.HasPrefix(file[1], "secrets/") {
			t.Errorf(".env.example names %s, want a file in secrets/", file[1])
		}
	}
	if !slices.Contains(compose(t).Services["gateway"].Volumes, "./secrets:/secrets:ro") {
		t.Error("docker-compose.yml does not mount secrets/ at /secrets")
	}
	_, last, _ := strings.Cut(read(t, "Dockerfile"), "FROM scratch")
	if strings.Contains(last, "WORKDIR") {
		t.Error("the image sets a working directory, want /")
	}
}

func TestCompose_HasHealthChecks(t *testing.T) {
	t.Parallel()
	all := compose(t).Services
	awaited := map[string]bool{}
	for name, s := range all {
		for on, how := range s.DependsOn {
			switch how.Condition {
			case "service_completed_successfully":
				awaited[on] = true
			case "service_healthy":
				if !all[on].checked() {
					t.Errorf("%s waits until %s is healthy, which has no health check", name, on)
				}
			default:
				t.Errorf("%s depends on %s with the condition %q", name, on, how.Condition)
			}
		}
	}
	for name, s := range all {
		oneShot := s.Restart == "no" && awaited[name]
		if oneShot == s.checked() {
			t.Errorf("%s has a health check: %t, is a job that a service waits for: %t; want one of the two",
				name, s.checked(), oneShot)
		}
	}
	if !awaited["migrate"] {
		t.Error("the gateway does not wait for the migrations")
	}
}

func TestCompose_PinsImages(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[a-z/]+:v?[0-9]+(\.[0-9]+)*(-[a-z]+)?$`)
	for name, s := range compose(t).Services {
		if s.Build.Context == "" && !pinned.MatchString(s.Image) {
			t.Errorf("%s runs %q, want an image with a version", name, s.Image)
		}
	}
}

// TestCompose_RunsASupportedNextcloud checks that compose, the documents and the doctor
// agree on one list of versions.
func TestCompose_RunsASupportedNextcloud(t *testing.T) {
	t.Parallel()
	want := fmt.Sprintf("nextcloud:%d-apache", ocs.NewestVersion)
	if got := compose(t).Services["nextcloud"].Image; got != want {
		t.Errorf("docker-compose.yml runs %s, want the newest supported version %s", got, want)
	}
	versions := regexp.MustCompile(`Nextcloud (\d+) to (\d+)`)
	supported := fmt.Sprintf("Nextcloud %d to %d", ocs.OldestVersion, ocs.NewestVersion)
	for _, name := range []string{"docs/configuration.md", "docs/nextcloud.md"} {
		found := versions.FindAllString(read(t, name), -1)
		if len(found) == 0 {
			t.Errorf("%s does not name the supported versions", name)
		}
		for _, got := range found {
			if got != supported {
				t.Errorf("%s says %s, want %s", name, got, supported)
			}
		}
	}
}

// TestCompose_ConfinesContainers names the only exceptions: those that their images need.
func TestCompose_ConfinesContainers(t *testing.T) {
	t.Parallel()
	writable := []string{"nextcloud", "qdrant"}
	for name, s := range compose(t).Services {
		if !s.ReadOnly && !slices.Contains(writable, name) {
			t.Errorf("%s may write to its image", name)
		}
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s has capabilities, or may gain privileges: %+v", name, s)
		}
		if s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("the log of %s grows without bound", name)
		}
	}
}

func TestCompose_PublishesOnlyHTTPS(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"gateway": {"${HTTPS_PORT:-8443}:${HTTPS_PORT:-8443}", "${HTTP_PORT:-8000}:${HTTP_PORT:-8000}"},
		"proxy":   {"${NEXTCLOUD_PORT:-8444}:443"}, // Nextcloud
		"mailpit": {"127.0.0.1:8025:8025"},
		"grafana": {"127.0.0.1:3000:3000"},
	}
	got := map[string][]string{}
	for name, s := range compose(t).Services {
		if len(s.Ports) > 0 {
			got[name] = s.Ports
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the published ports differ (-want +got):\n%s", diff)
	}
}

func TestDockerfile_ImageHoldsOnlyTheBinary(t *testing.T) {
	t.Parallel()
	text := read(t, "Dockerfile")
	stages := regexp.MustCompile(`(?m)^FROM .*$`).FindAllStringIndex(text, -1)
	first, last := stages[0], stages[len(stages)-1]
	if got := text[last[0]:last[1]]; got != "FROM scratch" {
		t.Errorf("the last stage is %q, want FROM scratch", got)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))[1]
	if got := text[first[0]:first[1]]; !strings.Contains(got, " golang:"+version+"-") {
		t.Errorf("the first stage is %q, want Go %s, as in go.mod", got, version)
	}
	for _, want := range []string{
		"\nUSER 65532:65532\n", "\nVOLUME /data\n", `CMD ["/gateway", "healthcheck"]`, "\nEXPOSE 8443 8000\n",
	} {
		if !strings.Contains(text[last[0]:], want) {
			t.Errorf("the last stage has no %q", want)
		}
	}
}

func TestDockerignore_IncludesTheSources(t *testing.T) {
	t.Parallel()
	ignore := strings.Split(read(t, ".dockerignore"), "\n")
	if !slices.Contains(ignore, "*") {
		t.Fatal(".dockerignore does not begin by excluding everything")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-f",
		`{{if .Module}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}`, "./cmd/gateway")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := strings.Fields(string(out))
	if len(dirs) == 0 {
		t.Fatal("got no source files of the binary")
	}
	for _, dir := range dirs {
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		top, _, _ := strings.Cut(rel, "/")
		if !slices.Contains(ignore, "!"+top) || slices.Contains(strings.Split(rel, "/"), "testdata") {
			t.Errorf(".dockerignore excludes %s, which the binary needs", rel)
		}
	}
}

func compose(t *testing.T) composition {
	t.Helper()
	var c composition
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// taken returns the variables that docker-compose.yml takes from .env, each with what
// follows its name: the default, or the error message if it is missing.
func taken(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`[^$]\$\{([A-Z_]+)([^}]*)\}`).FindAllStringSubmatch(read(t, "docker-compose.yml"), -1) {
		all[m[1]] = m[2]
	}
	for _, s := range compose(t).Services {
		for name, value := range s.Environment {
			if value == nil {
				all[name] = ""
			}
		}
	}
	return all
}

// example returns what .env.example sets, and every name it mentions, commented out or
// not.
func example(t *testing.T) (set map[string]string, explained []string) {
	t.Helper()
	text := read(t, ".env.example")
	file, err := dotenv.Parse(".env.example", []byte(text), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]*)=`).FindAllStringSubmatch(text, -1) {
		explained = append(explained, m[1])
	}
	explained = append(explained, regexp.MustCompile(`[A-Z_]+_FILE`).FindAllString(text, -1)...)
	return file.Vars, explained
}

// read returns the contents of a file in the project.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
