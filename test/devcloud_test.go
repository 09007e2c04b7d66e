package test_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// TestGateway_DoesNotContainDevcloud looks for the test server in the binaries. The
// function table, which stack traces need, contains package names.
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
