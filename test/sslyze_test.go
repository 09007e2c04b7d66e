//go:build sslyze

package test_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestTLS_MeetsMozillasProfile has sslyze check a gateway against Mozilla's "intermediate"
// profile. Its certificate is signed by mkcert's root, as from `make certs`.
func TestTLS_MeetsMozillasProfile(t *testing.T) {
	t.Parallel()
	root := mkcert(t)
	p := start(t, t.TempDir(), nil, "CAROOT="+root)
	address := strings.Replace(p.https, "https://127.0.0.1", "localhost", 1)
	out, err := run(t.Context(), []string{
		"../build/sslyze/bin/sslyze", "--slow_connection", "--certinfo_ca_file", filepath.Join(root, "rootCA.pem"),
		"--mozilla_config=intermediate", address,
	})
	_, verdict, found := strings.Cut(out, "COMPLIANCE AGAINST TLS CONFIGURATION")
	if err != nil || !found || !strings.Contains(verdict, address+": OK - Compliant.") {
		t.Fatalf("sslyze: %v\n%s", err, out)
	}
	t.Log(strings.TrimSpace(verdict))
}
