package test_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// strictPython is a client with the defaults of Python 3.13; earlier versions are lenient.
const strictPython = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection(("127.0.0.1", sys.argv[2])) as s, context.wrap_socket(s, server_hostname="localhost"):
    pass`

// TestTLS_ClientsTrustTheCertificate connects with the clients of this machine to a
// gateway with its own generated certificate, trusted as README describes, and to one with
// a certificate signed by mkcert's root. curl is required, because README needs it.
func TestTLS_ClientsTrustTheCertificate(t *testing.T) {
	t.Parallel()
	for _, signer := range []string{"itself", "mkcert"} {
		t.Run("signed by "+signer, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			leaf := filepath.Join(dir, "tls", "gateway.pem")
			trusted, env := leaf, []string{}
			if signer == "mkcert" {
				root := mkcert(t)
				trusted, env = filepath.Join(root, "rootCA.pem"), []string{"CAROOT=" + root}
			}
			p := start(t, dir, nil, env...)
			port := p.https[strings.LastIndexByte(p.https, ':')+1:]
			for _, command := range [][]string{
				{"curl", "--silent", "--show-error", "--fail", "--cacert", trusted, "https://localhost:" + port + "/health"},
				{"openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile", trusted, leaf},
				{"openssl", "s_client", "-x509_strict", "-verify_return_error", "-verify_hostname", "localhost",
					"-CAfile", trusted, "-connect", "127.0.0.1:" + port},
				{"python3", "-c", strictPython, trusted, port},
				{"node", "-e", `require("https").get("https://localhost:` + port + `/health", r => process.exit(r.statusCode == 200 ? 0 : 1))`},
				{"gnutls-cli", "--x509cafile", trusted, "--port", port, "localhost"},
			} {
				if _, err := exec.LookPath(command[0]); err != nil && command[0] != "curl" {
					t.Logf("left out: %v", err)
					continue
				}
				if out, err := run(t.Context(), command, "NODE_EXTRA_CA_CERTS="+trusted); err != nil {
					t.Errorf("%s: %v\n%s", command[:2], err, out)
				}
			}
			nobody := []string{"curl", "--silent", "--fail", "--cacert", filepath.Join(mkcert(t), "rootCA.pem"), p.https + "/health"}
			if out, err := run(t.Context(), nobody); err == nil {
				t.Errorf("curl accepts the certificate without trusting its root:\n%s", out)
			}
		})
	}
}

// run runs the command with an empty standard input, which ends interactive clients, and
// returns its output.
func run(ctx context.Context, command []string, env ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader("")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mkcert returns a folder with a new mkcert root, which no client trusts yet.
func mkcert(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := run(t.Context(), []string{"go", "tool", "mkcert", "-install"}, "CAROOT="+dir, "TRUST_STORES=none"); err != nil {
		t.Fatalf("mkcert: %v\n%s", err, out)
	}
	return dir
}
