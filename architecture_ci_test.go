package gateway_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestWorkflow_RunsTheChecks verifies that the workflow of GitHub Actions runs .ci/run.
func TestWorkflow_RunsTheChecks(t *testing.T) {
	t.Parallel()
	var workflow struct {
		On   map[string]any
		Jobs map[string]struct{ Steps []struct{ Run string } }
	}
	if err := yaml.Unmarshal([]byte(textOf(t, ".github/workflows/ci.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"pull_request", "push"} {
		if _, ok := workflow.On[event]; !ok {
			t.Errorf("the workflow does not run on %s", event)
		}
	}
	runs := 0
	for _, job := range workflow.Jobs {
		for _, step := range job.Steps {
			if step.Run == ".ci/run" {
				runs++
			}
		}
	}
	if runs != 1 {
		t.Errorf("the workflow runs .ci/run %d times, want once", runs)
	}
}

// TestWorkflows_PinActions verifies that every action in any workflow is pinned to a
// commit, and that no workflow has more permissions than it names.
func TestWorkflows_PinActions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatalf("found %q, %v", files, err)
	}
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	for _, file := range files {
		var workflow struct {
			Permissions *map[string]string
			Jobs        map[string]struct {
				Container string
				Steps     []struct{ Uses, Run string }
			}
		}
		if err := yaml.Unmarshal([]byte(textOf(t, file)), &workflow); err != nil {
			t.Fatal(err)
		}
		if workflow.Permissions == nil {
			t.Errorf("%s has the default permissions", file)
		}
		for name, job := range workflow.Jobs {
			if want := goImage(t); job.Container != want {
				t.Errorf("%s: job %s runs in %q, want %q", file, name, job.Container, want)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && !pinned.MatchString(step.Uses) {
					t.Errorf("%s: job %s uses %s, which is not pinned to a commit", file, name, step.Uses)
				}
			}
		}
	}
}

// TestWorkflow_ReleasesTags verifies that the release workflow runs for the tags that
// make tag creates, and signs what make release builds.
func TestWorkflow_ReleasesTags(t *testing.T) {
	t.Parallel()
	text := textOf(t, ".github/workflows/release.yml")
	for _, want := range []string{`tags: ["v*"]`, "run: make release\n", "subject-checksums: build/release/SHA256SUMS", "cosign sign-blob "} {
		if !strings.Contains(text, want) {
			t.Errorf("the release workflow lacks %s", want)
		}
	}
	for _, target := range []string{"\ntag:", "\nrelease:"} {
		if !strings.Contains(textOf(t, "Makefile"), target) {
			t.Errorf("the Makefile lacks %s", target)
		}
	}
}

// TestDevcontainer_HasTheTools verifies that the development container has the Go
// version of go.mod, and that the scripts it runs exist.
func TestDevcontainer_HasTheTools(t *testing.T) {
	t.Parallel()
	var container struct {
		Image             string `json:"image"`
		PostCreateCommand string `json:"postCreateCommand"`
	}
	if err := json.Unmarshal([]byte(textOf(t, ".devcontainer/devcontainer.json")), &container); err != nil {
		t.Fatal(err)
	}
	if want := goImage(t); container.Image != want {
		t.Errorf("the image is %q, want %q", container.Image, want)
	}
	for _, script := range regexp.MustCompile(`scripts/\w+|\.githooks`).FindAllString(container.PostCreateCommand, -1) {
		if _, err := os.Stat(script); err != nil {
			t.Error(err)
		}
	}
}

// TestHook_RunsCheck verifies that the pre-commit hook is executable and runs a
// target of the Makefile.
func TestHook_RunsCheck(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(".githooks/pre-commit")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o111 == 0 {
		t.Error("the pre-commit hook is not executable")
	}
	if !strings.Contains(textOf(t, ".githooks/pre-commit"), "\nexec make check\n") || !strings.Contains(textOf(t, "Makefile"), "\ncheck:") {
		t.Error("the pre-commit hook does not run make check")
	}
}

// goImage returns the container image with the Go version of go.mod.
func goImage(t *testing.T) string {
	t.Helper()
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(textOf(t, "go.mod"))
	if version == nil {
		t.Fatal("go.mod names no Go version")
	}
	return "golang:" + version[1] + "-trixie"
}
