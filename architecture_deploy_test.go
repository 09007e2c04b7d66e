package gateway_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// codeFences matches fenced blocks of a page of Markdown.
var codeFences = regexp.MustCompile("(?s)```.*?```")

// spoken returns what docs/deploy.md sets in code, line by line.
func spoken(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			said = append(said, strings.TrimSpace(line))
		}
	}
	for _, code := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(codeFences.ReplaceAllString(string(text), ""), -1) {
		said = append(said, code[1])
	}
	if len(said) < 50 {
		t.Fatalf("docs/deploy.md says only %q", said)
	}
	return said
}

// embeddedMetrics returns the names of the metrics that functions write into their logs.
func embeddedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob("functions/*/bootstrap/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`faas\.Metric\{Name: "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			names[found[1]] = true
		}
	}
	return names
}

// TestDeployGuide_NamesExistingThings holds docs/deploy.md against what it names:
// commands, files, settings, metrics, and names of template.yaml.
func TestDeployGuide_NamesExistingThings(t *testing.T) {
	t.Parallel()
	x, metrics := readTemplate(t), embeddedMetrics(t)
	known := func(name string) bool {
		_, parameter := x.Parameters[name]
		_, resource := x.Resources[name]
		_, output := x.Outputs[name]
		aws := []string{"ReservedConcurrentExecutions", "ThrottlingRateLimit", "EdDSA", "SomeFunction", "SchemaVersion"}
		return parameter || resource || output || slices.Contains(aws, name) || metrics[name]
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, s := range spoken(t) {
		if regexp.MustCompile(`^[A-Z][a-z]+[A-Za-z]*$`).MatchString(s) {
			counts["name"]++
			if !known(s) {
				t.Errorf("template.yaml has no %s", s)
			}
		}
		for _, m := range regexp.MustCompile(`\bmake ([a-z-]+)`).FindAllStringSubmatch(s, -1) {
			counts["target"]++
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("there is no make %s", m[1])
			}
		}
		for _, file := range regexp.MustCompile(`\b(scripts|events|functions)/[a-z./-]*|\b(samconfig\.toml|template\.yaml|docker-compose\.yml)\b`).FindAllString(s, -1) {
			counts["file"]++
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
		}
		if regexp.MustCompile(`^[A-Z][A-Z_]{5,}$`).MatchString(s) {
			counts["setting"]++
			if !slices.Contains(append(secrets.Settings(), "ACCESS_TOKEN", "REFRESH_TOKEN", "ERROR", "SECRETS_ARNS", "ACCESS_TOKEN_EXPIRE_MINUTES", "REFRESH_TOKEN_EXPIRE_DAYS"), s) {
				t.Errorf("%s is no setting that may be in a secret", s)
			}
		}
	}
	for what, least := range map[string]int{"name": 15, "target": 4, "file": 8, "setting": 6} {
		if counts[what] < least {
			t.Errorf("only %d times a %s was found", counts[what], what)
		}
	}
}

// TestDeployGuide_CreatesValidSecrets runs the commands that make
// secrets, and has what they make read as a function does.
func TestDeployGuide_CreatesValidSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := textOf(t, "docs/deploy.md")
	for _, command := range regexp.MustCompile(`(?ms)^ *(cat >secret\.json .*?^ *JSON|openssl genpkey [^\n]*)$`).FindAllString(text, -1) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", regexp.MustCompile("(?m)^ +").ReplaceAllString(command, ""))
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	secret := map[string]string{}
	if err := json.Unmarshal([]byte(textOf(t, filepath.Join(dir, "secret.json"))), &secret); err != nil {
		t.Fatal(err)
	}
	secret["JWT_ALGORITHM"], secret["JWT_PRIVATE_KEY"] = "EdDSA", textOf(t, filepath.Join(dir, "key.pem"))
	stored, err := json.Marshal(secret) // with \n where a line ends
	if err != nil || strings.Contains(string(stored), "\n") {
		t.Fatal(string(stored), err)
	}
	env := config.Map(secret)
	keyring.Load(env)
	keys := setting.Of[token.PublicSettings](env).Keys()
	if err := env.Err(); err != nil || secret["JWT_SECRET"] == "" || secret["DATA_SECRET"] == secret["JWT_SECRET"] ||
		!strings.Contains(string(keys.JWKS()), `"Ed25519"`) {
		t.Errorf("%v: %d settings", err, len(secret))
	}
}
