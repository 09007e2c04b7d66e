//go:build sam

// These tests need the SAM CLI, and one of them Docker: make sam-check, make
// sam-acceptance.

package test_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/docs/docstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/porttest"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// TestSAM_Artifacts inspects every folder that sam build created.
func TestSAM_Artifacts(t *testing.T) {
	t.Parallel()
	const built = "../.aws-sam/build"
	arch := "arm64"
	if os.Getenv("LAMBDA_GOARCH") != "" {
		arch = os.Getenv("LAMBDA_GOARCH")
	}
	folders, err := filepath.Glob(built + "/*Function")
	if err != nil {
		t.Fatal(err)
	}
	if want := len(templateRoutes(t)); len(folders) < want {
		t.Errorf("%d functions were built, template.yaml has %d with a route", len(folders), want)
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "function\tprocessor\tlinked\tCGO_ENABLED\tbuilt by\tbootstrap MB\tzip MB\t")
	for _, folder := range folders {
		name := strings.ToLower(strings.TrimSuffix(filepath.Base(folder), "Function"))
		a, err := inspect(folder, "functions/"+name+"/bootstrap", arch)
		if err != nil {
			t.Errorf("%s: %v", folder, err)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\tstatically\t0\t%s\t%.2f\t%.2f\t\n", name, arch, a.Go, float64(a.Size)/1e6, float64(a.Zipped)/1e6)
	}
	w.Flush()
	t.Logf("the artifacts of sam build:\n%s", &table)
}

// TestSAM_AnswersAlike runs the acceptance script against sam local start-api, which runs
// every function in a container as Lambda does, and compares each response with that of
// the binary.
//
// SAM_INVOKE_IMAGE names a local image to run the functions in; if it is unset, SAM pulls
// Amazon's.
func TestSAM_AnswersAlike(t *testing.T) {
	t.Parallel()
	got := onSAM(t)
	want := onBinary(t)
	want = slices.DeleteFunc(want, func(e exchange) bool {
		return !slices.ContainsFunc(got, func(g exchange) bool { return g.Step == e.Step })
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sam local responds differently (- binary, + sam local):\n%s", diff)
	}
}

func onSAM(t *testing.T) []exchange {
	t.Helper()
	host := bridge(t)
	server := httptest.NewServer(newNextcloud(t))
	t.Cleanup(server.Close)
	direct := database(t)
	secret := keyring.Generate().Reveal()
	admin(t, t.TempDir(), append(settings(server), "DATABASE_URL="+direct, "JWT_SECRET="+secret))
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = forward(t, host, u.Host)
	env := ratelimit.Off()
	maps.Copy(env, map[string]string{
		"SECRETS_ARNS": "", "DATABASE_URL": u.String(), "JWT_SECRET": secret,
		"ALLOWED_ORIGINS": "https://app.example.org", "BCRYPT_COST": "10",
		"NEXTCLOUD_URL":        "http://" + forward(t, host, strings.TrimPrefix(server.URL, "http://")),
		"NEXTCLOUD_PUBLIC_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": cloudPassword,
	})
	api := startAPI(t, env)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, api)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	g := target{
		client: &http.Client{Transport: withoutSAM{transport}, Timeout: answerTime},
		url:    strings.Replace(public, "https:", "http:", 1), check: docstest.Check,
	}
	// SAM itself answers 502 to a body that is not UTF-8; AWS sends it in base64.
	script := slices.DeleteFunc(acceptance(), func(s step) bool { return !utf8.ValidString(s.body) })
	return play(t, g, script, map[string]string{"admin": "root@example.com"})
}

// A withoutSAM removes what SAM's own HTTP server adds to responses and AWS does not: its
// name, and a content type if the function gave none.
type withoutSAM struct{ http.RoundTripper }

func (w withoutSAM) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Server")
	resp.Header.Del("Connection")
	if resp.ContentLength <= 0 && r.Method != http.MethodHead && resp.Header.Get("Content-Type") == "application/json" {
		resp.Header.Del("Content-Type") // an empty body is not JSON
	}
	return resp, nil
}

// startAPI starts scripts/sam-api with the settings and returns its address.
func startAPI(t *testing.T, env map[string]string) (address string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "env.json")
	text, err := json.Marshal(map[string]any{"Parameters": env})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	address = porttest.Address(t)
	_, port, _ := net.SplitHostPort(address)
	args := []string{"--port", port, "--env-vars", file}
	if image := os.Getenv("SAM_INVOKE_IMAGE"); image != "" {
		args = append(args, "--skip-pull-image", "--invoke-image", image)
	}
	cmd := exec.Command("../scripts/sam-api", args...)
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		in.Close()
		close(exited)
	}()
	listening, log := make(chan struct{}), &buffer{}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Buffer(nil, 16<<20); lines.Scan(); {
			log.Write(append(lines.Bytes(), '\n'))
			if strings.Contains(lines.Text(), "Running on http") {
				close(listening)
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		if t.Failed() {
			t.Logf("sam local printed:\n%s", log)
		}
	})
	select {
	case <-listening:
	case <-exited:
		t.Fatalf("sam local did not start:\n%s", log)
	}
	return address
}

// bridge returns the address of this machine on the container network: the first of its
// subnet, which older engines do not report directly.
func bridge(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "network", "inspect", "bridge",
		"--format", "{{(index .IPAM.Config 0).Subnet}}").CombinedOutput()
	if err != nil {
		t.Fatalf("a running Docker is needed: %v\n%s", err, out)
	}
	subnet, err := netip.ParsePrefix(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return subnet.Masked().Addr().Next().String()
}

// forward lets containers reach a server of this test at the returned address, on host.
func forward(t *testing.T, host, server string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer from.Close()
				to, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer to.Close()
				go io.Copy(to, from)
				io.Copy(from, to)
			}()
		}
	}()
	return listener.Addr().String()
}
