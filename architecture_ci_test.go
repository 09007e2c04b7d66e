package gateway_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestWorkflow_RunsTheChecks verifies that the workflow of GitHub Actions runs
// .ci/run, and that every action it uses is pinned to a commit.
func TestWorkflow_RunsTheChecks(t *testing.T) {
	t.Parallel()
	var workflow struct {
		On   map[string]any
		Jobs map[string]struct {
			Container string
			Steps     []struct{ Uses, Run string }
		}
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
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	for name, job := range workflow.Jobs {
		if want := goImage(t); job.Container != want {
			t.Errorf("job %s runs in %q, want %q", name, job.Container, want)
		}
		for _, step := range job.Steps {
			if step.Run == ".ci/run" {
				runs++
			}
			if step.Uses != "" && !pinned.MatchString(step.Uses) {
				t.Errorf("job %s uses %s, which is not pinned to a commit", name, step.Uses)
			}
		}
	}
	if runs != 1 {
		t.Errorf("the workflow runs .ci/run %d times, want once", runs)
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
