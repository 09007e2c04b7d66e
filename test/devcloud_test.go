package test_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// TestGateway_DoesNotContainDevcloud looks for the test server in the binaries. The
// table of functions, which stack traces need, names their packages.
func TestGateway_DoesNotContainDevcloud(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]bool{gateway(t): false, faastest.Program(t, "../cmd/devcloud"): true} {
		binary, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(binary, []byte("nextcloud/nextcloudtest.")); got != want {
			t.Errorf("%s contains nextcloudtest: %v, want %v", program, got, want)
		}
	}
}
