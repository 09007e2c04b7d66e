package test_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/porttest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestServe_WithNothingConfigured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil, "METRICS_ADDR=127.0.0.1:0")

	resp, body := get(t, p.client, p.https+"/ready")
	if resp.StatusCode != http.StatusOK || resp.Proto != "HTTP/2.0" || resp.TLS.Version < tls.VersionTLS12 {
		t.Errorf("%s over TLS %x: got %d %s", resp.Proto, resp.TLS.Version, resp.StatusCode, body)
	}
	var ready struct {
		Checks map[string]struct{ Status string }
	}
	if err := json.Unmarshal([]byte(body), &ready); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"database": "ok", "schema": "ok", "redis": "disabled", "qdrant": "disabled", "nextcloud": "disabled",
	} {
		if got := ready.Checks[name].Status; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if resp, _ := get(t, p.client, p.plain+"/api/users/me?a=b"); resp.StatusCode != http.StatusPermanentRedirect ||
		resp.Header.Get("Location") != p.https+"/api/users/me?a=b" {
		t.Errorf("plain HTTP: got %d to %q, want a redirect to HTTPS", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp, body := get(t, p.client, p.plain+"/health"); resp.StatusCode != http.StatusOK {
		t.Errorf("health over plain HTTP: got %d %s", resp.StatusCode, body)
	}
	for _, path := range []string{"/openapi.json", "/docs"} {
		if resp, _ := get(t, p.client, p.https+path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	keys := keystore.In(dir)
	made, err := keys.Read()
	if err != nil || len(made.Secrets) != 1 {
		t.Fatalf("%d secrets, %v", len(made.Secrets), err)
	}
	if out, code := command(t, dir, "", []string{"HTTP_ADDR=" + strings.TrimPrefix(p.plain, "http://")}, "healthcheck"); code != 0 {
		t.Errorf("healthcheck: %s", out)
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("after SIGTERM the gateway exited with %d, want 0", code)
	}
	if strings.Contains(p.stdout.String()+p.stderr.String(), made.Secrets[0].Text.Reveal()) {
		t.Error("the output contains the secret")
	}
	if info, err := os.Stat(keys.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the secret has the mode %v, %v", info.Mode(), err)
	}

	again := start(t, dir, nil)
	if kept, err := keys.Read(); err != nil || !cmp.Equal(kept, made) {
		t.Errorf("the restart changed the secret, %v", err)
	}
	again.stop(t)
	if out, code := command(t, dir, "", []string{"HTTP_ADDR=127.0.0.1:1"}, "healthcheck"); code != 1 {
		t.Errorf("healthcheck without a gateway: exit code %d, %s", code, out)
	}
}

// TestServe_CountsWhatHappens: the parts of the server report to its metrics.
func TestServe_CountsWhatHappens(t *testing.T) {
	t.Parallel()
	address := porttest.Address(t)
	p := start(t, t.TempDir(), nil, "METRICS_ADDR="+address, "PWNED_PASSWORDS_URL=http://127.0.0.1:1")
	register(t, p, "ada@example.org", "Ada")
	var body string
	await(t, "the count of mails", func() bool {
		_, body = get(t, p.client, "http://"+address+"/metrics")
		return strings.Contains(body, `gateway_mails{status="waiting"} 0`)
	})
	for _, want := range []string{
		`gateway_audit_events_total{event="account_registered"} 1`,
		`gateway_password_breach_checks_total{outcome="unavailable"} 1`,
		`gateway_password_hashes{state="running"} 0`, `gateway_password_hashes{state="waiting"} 0`,
		`go_sql_max_open_connections{db_name="sqlite"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestServe_RefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		env  []string
		want []string // each on its own line
		hide string
	}{
		{"a URL in quotes, as docker run --env-file keeps them", []string{`DATABASE_URL="postgres://ada:hunter2@127.0.0.1/x"`},
			[]string{"DATABASE_URL is in quotes"}, "hunter2"},
		{"a short secret", []string{"JWT_SECRET=hunter2hunter2"}, []string{"JWT_SECRET has 14 bytes; it must be"}, "hunter2"},
		{"the placeholder", []string{"JWT_SECRET=change-me-change-me-change-me-change-me"}, []string{"JWT_SECRET is the placeholder"}, ""},
		{"everything at once", []string{"BCRYPT_COST=99", "ALLOWED_ORIGINS=*", "ACCESS_TOKEN_EXPIRE_MINUTES=x", "HTTPS_ADDR=8443"},
			[]string{`BCRYPT_COST is "99"; it must be`, `ALLOWED_ORIGINS is "*"; it must be`, `ACCESS_TOKEN_EXPIRE_MINUTES is "x"; it must be`, `HTTPS_ADDR is "8443"; it must be`}, ""},
		{"a database URL that is none", []string{"JWT_SECRET=" + keyring.Generate().Reveal(), "DATABASE_URL=mysql://root:hunter2@db"},
			[]string{"DATABASE_URL cannot be parsed"}, "hunter2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out, code := command(t, t.TempDir(), "", test.env, "serve")
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, want := range test.want {
				if !strings.Contains("\n"+out, "\n"+want) {
					t.Errorf("got no line that begins with %q in\n%s", want, out)
				}
			}
			if test.hide != "" && strings.Contains(out, test.hide) {
				t.Errorf("the output contains the value:\n%s", out)
			}
		})
	}
}

func TestCommands_UnmigratedDatabase(t *testing.T) {
	t.Parallel()
	url := storetest.FromTemplate(t, func(context.Context, string) error { return nil })
	env := []string{"DATABASE_URL=" + url, "JWT_SECRET=" + keyring.Generate().Reveal()}
	dir := t.TempDir()
	for _, args := range [][]string{
		{"user", "create", "ada@example.com"}, {"user", "set-role", "ada@example.com", "admin"},
	} {
		out, code := command(t, dir, "correct horse battery staple\n", env, args...)
		if code != 1 || !strings.Contains(out, "must be at") || !strings.Contains(out, "run gateway migrate up") {
			t.Errorf("%v: exit code %d, %s", args, code, out)
		}
	}
	p := start(t, dir, nil, env...)
	if resp, body := get(t, p.client, p.https+"/ready"); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "migrate up") {
		t.Errorf("ready: got %d %s", resp.StatusCode, body)
	}
	direct := []string{"MIGRATE_DATABASE_URL=" + url, "DATABASE_URL=postgres://x@127.0.0.1:1/pooler"}
	if out, code := command(t, dir, "", direct, "migrate", "up"); code != 0 {
		t.Fatalf("migrate up: %s", out)
	}
	if out, code := command(t, dir, "", env, "migrate", "status"); code != 0 || strings.Contains(out, "missing") {
		t.Errorf("migrate status: exit code %d, %s", code, out)
	}
	if out, code := command(t, dir, "correct horse battery staple\n", env, "user", "create", "ada@example.com"); code != 0 {
		t.Errorf("after the migration: %s", out)
	}
}

func TestUserAndMigrateCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, step := range []struct {
		args  []string
		stdin string
		code  int
		want  string
	}{
		{[]string{"migrate", "up"}, "", 0, "the schema is at version"},
		{[]string{"migrate", "status"}, "", 0, "applied"},
		{[]string{"user", "create", "ada@example.com", "--name", "Ada"}, "correct horse battery staple\n", 0, "created "},
		{[]string{"user", "create", "ada@example.com"}, "correct horse battery staple\n", 1, "has an account already"},
		{[]string{"user", "create", "nobody"}, "short\n", 1, "email: Must be an e-mail address"},
		{[]string{"user", "create", "bob@example.com"}, "\n", 1, "the first line of standard input is empty"},
		{[]string{"user", "set-role", "ada@example.com", "admin"}, "", 0, "ada@example.com is admin"},
		{[]string{"user", "set-role", "ada@example.com", "king"}, "", 1, `Must be "user" or "admin"`},
		{[]string{"user", "set-role", "bob@example.com", "admin"}, "", 1, "The resource does not exist."},
		{[]string{"user", "create", "eve@example.com"}, "", 0, "a mail with a link is on its way"},
		{[]string{"user", "logout", "ada@example.com"}, "", 0, "ada@example.com was not logged in"},
		{[]string{"user", "logout", "bob@example.com"}, "", 1, "The resource does not exist."},
		{[]string{"user", "logout"}, "", 2, "either EMAIL or --all"},
		{[]string{"user", "logout", "--all", "ada@example.com"}, "", 2, "either EMAIL or --all"},
		{[]string{"version"}, "", 0, ""},
		{[]string{"sever"}, "", 2, "unknown command"},
		{[]string{"migrate", "down"}, "", 2, "status, up"},
		{[]string{"user", "rename", "ada@example.com"}, "", 2, "set-role, show"},
	} {
		out, code := command(t, dir, step.stdin, nil, step.args...)
		if code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("%v: exit code %d, %s; want %d, %s", step.args, code, out, step.code, step.want)
		}
	}
}

// TestUserCreate_AcceptsAPasswordPipedOnWindows sends what PowerShell sends: a byte order
// mark, and a Windows line ending.
func TestUserCreate_AcceptsAPasswordPipedOnWindows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const password = "correct horse battery staple"
	if out, code := command(t, dir, "\uFEFF"+password+"\r\n", nil, "user", "create", "ada@example.com"); code != 0 {
		t.Fatalf("user create: %s", out)
	}
	p := start(t, dir, nil)
	resp, err := p.client.PostForm(p.https+"/api/auth/login", url.Values{"username": {"ada@example.com"}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a login with the password got %s", resp.Status)
	}
}
