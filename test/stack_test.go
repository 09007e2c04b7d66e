//go:build stack

// This test needs a Docker engine: make stack-test.

package test_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/docs/docstest"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// Ports and network of the stack in these tests, beside those of a stack that runs.
const (
	stackHTTPS     = "18443"
	stackNextcloud = "18444"
	stackPrefix    = "172.30.85"
)

// A stack is the services of docker-compose.yml, in a clean copy of the project.
type stack struct {
	dir    string
	env    []string
	client *http.Client // resolves every name to this machine and verifies certificates
}

// TestStack brings docker-compose.yml up with the commands of README, plays the acceptance
// script by name over HTTPS, restarts each service, and takes all down. `make stack-test`
// runs it, with images of scripts/stand-in-images where no others can be had.
func TestStack(t *testing.T) { //nolint:paralleltest // the stack has fixed ports
	s := openStack(t)
	t.Run("names all missing secrets", s.namesMissingSecrets)
	began := time.Now()
	s.make(t, "up")
	t.Logf("make up took %s", time.Since(began).Round(time.Second))
	s.logImage(t)
	s.createAdmin(t)
	g := target{client: s.client, url: "https://api.voiceassist.local:" + stackHTTPS, check: docstest.Check}
	if !t.Run("plays the acceptance script", func(t *testing.T) {
		played := play(t, g, acceptance(), map[string]string{"admin": "root@example.com"})
		t.Logf("%d steps", len(played))
	}) {
		s.logs(t)
		return
	}
	t.Run("plays the demo", s.demo)
	t.Run("Nextcloud knows who comes", s.nextcloudKnowsAddresses)
	t.Run("roles own their databases and nothing else", s.rolesAreConfined)
	t.Run("containers are confined", s.containersAreConfined)
	for _, service := range []string{"postgres", "nextcloud-postgres", "redis", "nextcloud", "proxy", "gateway"} {
		t.Run("recovers from a restart of "+service, func(t *testing.T) {
			s.docker(t, "compose", "restart", service)
			began := time.Now()
			s.works(t, g, service)
			t.Logf("well %s after the restart", time.Since(began).Round(100*time.Millisecond))
		})
	}
	if t.Failed() {
		s.logs(t)
	}
}

// openStack makes the copy, its .env and its certificates. The password of the gateway's
// database has every character that could break a URL, a shell or an .env file.
func openStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{dir: cleanCopy(t)}
	s.env = append(os.Environ(), "CAROOT="+t.TempDir(), "COMPOSE_PROJECT_NAME=voiceassist-test", "COMPOSE_PROFILES=redis")
	s.make(t, "env")
	path := filepath.Join(s.dir, ".env")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf(".env: %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.dir, "secrets"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "secrets", "nextcloud"), []byte("an administrator's pass/word?\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^POSTGRES_PASSWORD=.*`).ReplaceAllLiteral(text, []byte(`POSTGRES_PASSWORD='a@b:c/d?e#f%67 "g$h\'i'`))
	text = regexp.MustCompile(`(?m)^NEXTCLOUD_ADMIN_PASSWORD=.*`).ReplaceAllLiteral(text, []byte(`NEXTCLOUD_ADMIN_PASSWORD_FILE=secrets/nextcloud`))
	more := "\nHTTPS_PORT=" + stackHTTPS + "\nHTTP_PORT=18000\nNEXTCLOUD_PORT=" + stackNextcloud + "\nNETWORK_PREFIX=" + stackPrefix +
		"\nALLOWED_ORIGINS=https://app.example.org\nBCRYPT_COST=10\nREDIS_URL=redis://redis:6379/0\n"
	for name, value := range ratelimit.Off() {
		more += name + "=" + value + "\n"
	}
	if err := os.WriteFile(path, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, "scripts/certs")
	roots := x509.NewCertPool()
	if root, err := os.ReadFile(filepath.Join(s.dir, "secrets", "ca.pem")); err != nil || !roots.AppendCertsFromPEM(root) {
		t.Fatalf("secrets/ca.pem: %v", err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{
		Transport: transport, Timeout: answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	remove := func() { s.docker(t, "compose", "down", "--volumes", "--timeout", "5") }
	remove() // what a run left that was killed
	t.Cleanup(remove)
	return s
}

// command returns a command in the copy, which takes only the settings of its .env.
func (s *stack) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// run runs a command, which must succeed, and returns its output.
func (s *stack) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := s.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (s *stack) docker(t *testing.T, args ...string) string {
	t.Helper()
	return s.run(t, "docker", args...)
}

func (s *stack) make(t *testing.T, targetName string) {
	t.Helper()
	s.run(t, "make", targetName)
}

func (s *stack) logs(t *testing.T) {
	t.Helper()
	t.Logf("%s\n%s", s.docker(t, "compose", "ps", "--all"), s.docker(t, "compose", "logs", "--tail", "40"))
}

func (s *stack) logImage(t *testing.T) {
	t.Helper()
	t.Logf("the image of the gateway has %s bytes", strings.TrimSpace(s.docker(t, "image", "inspect", "--format", "{{.Size}}", "voiceassist/gateway")))
}

func (s *stack) namesMissingSecrets(t *testing.T) {
	cmd := s.command("docker", "compose", "run", "--rm", "secrets")
	cmd.Env = append(slices.Clone(s.env), "JWT_SECRET=", "NEXTCLOUD_POSTGRES_PASSWORD=")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "NAME_FILE: JWT_SECRET NEXTCLOUD_POSTGRES_PASSWORD\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// createAdmin creates the first administrator as README says.
func (s *stack) createAdmin(t *testing.T) {
	t.Helper()
	cmd := s.command("docker", "compose", "exec", "-T", "gateway", "/gateway", "user", "create", "--admin", "root@example.com")
	cmd.Stdin = strings.NewReader(rootPassword)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func (s *stack) demo(t *testing.T) {
	if out := s.run(t, "make", "demo"); !strings.Contains(out, "Everything works.\n") {
		t.Error(out)
	}
}

// nextcloudKnowsAddresses checks that the gateway alone is exempt from the brute-force
// protection, and that others do not share its address or the proxy's.
func (s *stack) nextcloudKnowsAddresses(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://nextcloud.local:"+stackNextcloud+"/status.php", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", stackPrefix+".10") // a lie
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !bytes.Contains(body, []byte(`"installed":true`)) {
		t.Errorf("%s %s", resp.Status, body)
	}
	log := s.docker(t, "compose", "logs", "--no-log-prefix", "nextcloud")
	if !strings.Contains(log, "occ config:app:set bruteForce whitelist_0 --value="+stackPrefix+".10/32") {
		t.Log("this Nextcloud prints neither its hooks nor the addresses of clients")
		return
	}
	if !strings.Contains(log, "occ config:system:set skeletondirectory --value=") {
		t.Errorf("new accounts get example files:\n%s", log)
	}
	if !strings.Contains(log, "address "+stackPrefix+".10\n") || strings.Contains(log, "address "+stackPrefix+".11\n") {
		t.Errorf("Nextcloud sees the proxy, or not the gateway:\n%s", log)
	}
	if others := regexp.MustCompile(`address `+regexp.QuoteMeta(stackPrefix)+`\.\d+\n`).FindAllString(log, -1); len(others) < 2 {
		t.Errorf("a client outside of the stack has the address of the gateway:\n%s", log)
	}
}

func (s *stack) rolesAreConfined(t *testing.T) {
	for service, role := range map[string]string{"postgres": "gateway", "nextcloud-postgres": "nextcloud"} {
		sql := func(args ...string) (string, error) {
			out, err := s.command("docker", append([]string{"compose", "exec", "-T", service, "psql", "--username=postgres", "-At"}, args...)...).CombinedOutput()
			return strings.TrimSpace(string(out)), err
		}
		got, err := sql("-c", `SELECT rolsuper, rolcreaterole, rolcreatedb, pg_get_userbyid(datdba) FROM pg_roles, pg_database WHERE rolname = datname AND rolname = '`+role+`'`)
		if want := "f|f|f|" + role; err != nil || got != want {
			t.Errorf("%s: superuser, creates roles, databases, owner: %s, %v; want %s", role, got, err, want)
		}
		if out, err := sql("--no-password", "--host="+service, "-c", "SELECT 1"); err == nil {
			t.Errorf("the superuser logs in to %s from the network: %s", service, out)
		}
	}
}

// containersAreConfined compares what the engine gives each container with what
// docker-compose.yml promises.
func (s *stack) containersAreConfined(t *testing.T) {
	for id := range strings.FieldsSeq(s.docker(t, "compose", "ps", "--all", "--quiet")) {
		var found []struct {
			Name   string
			Config struct{ User string }
			Host   struct {
				ReadonlyRootfs  bool
				CapDrop, CapAdd []string
				SecurityOpt     []string
				LogConfig       struct{ Config map[string]string }
			} `json:"HostConfig"`
		}
		if err := json.Unmarshal([]byte(s.docker(t, "inspect", id)), &found); err != nil {
			t.Fatal(err)
		}
		c := found[0]
		if !slices.Equal(c.Host.CapDrop, []string{"ALL"}) || c.Host.LogConfig.Config["max-size"] == "" || len(c.Host.SecurityOpt) == 0 {
			t.Errorf("%s is not confined: %+v", c.Name, c)
		}
		if !strings.Contains(c.Name, "-nextcloud-1") && (!c.Host.ReadonlyRootfs || c.Config.User == "" || c.Config.User == "root") {
			t.Errorf("%s may write to its image, or runs as root: %+v", c.Name, c)
		}
	}
}

// works registers a user, and waits until the user can store and read a file.
func (s *stack) works(t *testing.T, g target, name string) {
	t.Helper()
	ready := step{name: "ready", method: "GET", path: "/ready", status: 200}
	for deadline := time.After(time.Minute); ; {
		if status, _ := s.get(t, g.url+ready.path); status == ready.status {
			break
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-deadline:
			t.Fatalf("not ready a minute after the restart\n%s", s.docker(t, "compose", "ps", "--all"))
		}
	}
	user := fmt.Sprintf(`{"email":"after-%s@example.com","password":"SecurePass123!"}`, name)
	bearer := "Authorization: Bearer ${access}"
	play(t, g, []step{
		{name: "register", method: "POST", path: "/api/auth/register", body: user, status: 200},
		{name: "log in", method: "POST", path: "/api/auth/login", body: user, status: 200, save: map[string]string{"access": "access_token"}},
		{name: "log in with an account from before", method: "POST", path: "/api/auth/login",
			body: `{"email":"root@example.com","password":"correct horse battery staple"}`, status: 200},
		hasStorage,
		{name: "store a file", method: "PUT", path: "/api/files/a.txt", header: bearer, body: "a", status: 201},
		{name: "read the file", method: "GET", path: "/api/files/a.txt", header: bearer, status: 200},
	}, map[string]string{})
}

// get returns the status of a page, or 0 and the error.
func (s *stack) get(t *testing.T, url string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}
