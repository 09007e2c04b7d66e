package gateway_test

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestUpdates_CoverEveryManifest verifies that .github/dependabot.yml lists the folder of
// every file with dependencies, and no other.
func TestUpdates_CoverEveryManifest(t *testing.T) {
	t.Parallel()
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
			Groups      map[string]struct{ Patterns []string }
			Ignore      []struct {
				Name string `yaml:"dependency-name"`
			}
		}
	}
	text := textOf(t, ".github/dependabot.yml")
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text, "&*") && strings.Contains(text, ": *") {
		t.Error("Dependabot does not read aliases of YAML")
	}
	listed := map[string]bool{}
	var reviewed, ignored []string
	for _, u := range config.Updates {
		for _, dir := range append(u.Directories, u.Directory) {
			if dir != "" {
				listed[u.Ecosystem+" "+dir] = true
			}
		}
		reviewed = append(reviewed, u.Groups["required"].Patterns...)
		for _, i := range u.Ignore {
			ignored = append(ignored, i.Name)
		}
	}
	list, err := exec.CommandContext(t.Context(), "git", "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for file := range strings.FieldsSeq(string(list)) {
		if ecosystem := ecosystemOf(file); ecosystem != "" {
			dir := path.Join("/", path.Dir(file))
			if ecosystem == "devcontainers" || ecosystem == "github-actions" {
				dir = "/"
			}
			found[ecosystem+" "+dir] = true
		}
	}
	for f := range found {
		if !listed[f] {
			t.Errorf(".github/dependabot.yml lacks %s", f)
		}
	}
	for l := range listed {
		if !found[l] {
			t.Errorf(".github/dependabot.yml lists %s, which does not exist", l)
		}
	}
	for _, library := range []string{
		"github.com/aws/aws-lambda-go", "github.com/awslabs/aws-lambda-go-api-proxy", "github.com/golang-jwt/jwt/v5",
		"golang.org/x/crypto", "github.com/jackc/pgx/v5", "github.com/go-playground/validator/v10",
	} {
		if slices.Contains(reviewed, library) == slices.Contains(ignored, library) {
			t.Errorf("the required package %s is neither updated on its own nor ignored", library)
		}
	}
}

// ecosystemOf returns what Dependabot calls the kind of the file, or "" for files without
// dependencies.
func ecosystemOf(file string) string {
	switch name := path.Base(file); {
	case name == "go.mod":
		return "gomod"
	case name == "package.json":
		return "npm"
	case strings.HasSuffix(name, "requirements.txt"):
		return "pip"
	case name == "Dockerfile":
		return "docker"
	case strings.HasPrefix(name, "docker-compose") && strings.HasSuffix(name, ".yml"):
		return "docker-compose"
	case name == "devcontainer.json":
		return "devcontainers"
	case strings.HasPrefix(file, ".github/workflows/"):
		return "github-actions"
	}
	return ""
}
