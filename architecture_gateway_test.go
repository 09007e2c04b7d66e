package gateway_test

import (
	"os/exec"
	"path"
	"strings"
	"testing"
)

// TestGateway_ImportsNoTestCode checks that the gateway imports neither the
// Nextcloud for development, which only cmd/devcloud runs, nor another package for
// tests.
func TestGateway_ImportsNoTestCode(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/gateway").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("go list names only %d packages", len(deps))
	}
	for _, pkg := range deps {
		runtime := strings.HasPrefix(pkg, "internal/")
		if strings.HasSuffix(path.Base(pkg), "test") && !runtime || strings.HasPrefix(pkg, "testing") {
			t.Errorf("cmd/gateway imports %s", pkg)
		}
	}
}
