package test_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	vault "github.com/voiceassist/gateway/shared/faas/secrets" // secrets is another name here
	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestFunctions_SurviveARotation runs the acceptance script against functions that read
// all secrets from Secrets Manager, including a database login that AWS rotates, and
// continues while the password is rotated.
func TestFunctions_SurviveARotation(t *testing.T) {
	t.Parallel()
	manager := secretstest.New(t)
	role, first := storetest.NewRole(t, database(t))
	secret := keyring.Generate().Reveal()
	arn := manager.Put(t, "gateway", map[string]string{"JWT_SECRET": secret, "POSTGRES_USER": "not ours"})
	db := manager.PutText("database", login(t, first))
	cloud := manager.Put(t, "nextcloud", map[string]string{
		"NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": cloudPassword,
	})
	address := listen(t, newNextcloud(t))[0] // not secret
	admin(t, t.TempDir(), []string{"DATABASE_URL=" + first, "JWT_SECRET=" + secret})

	env := append(manager.Env(arn, db, cloud), address, "ALLOWED_ORIGINS=https://app.example.org", "BCRYPT_COST=10")
	api := deploy(t, append(env, unlimited()...)...)
	for name, p := range api.processes {
		if e := p.InitError(); e != nil {
			t.Fatalf("%s does not start: %v", name, e)
		}
	}
	if n := manager.Fetches(); n != 0 {
		t.Errorf("the functions fetched %d secrets before the first request, want none", n)
	}
	g := target{client: &http.Client{Transport: api}, url: public}
	saved := map[string]string{"admin": "root@example.com"}
	play(t, g, acceptance(), saved)
	if n, functions := manager.Fetches(), len(api.processes); n == 0 || n > 3*functions {
		t.Errorf("%d functions fetched 3 secrets %d times, want at most once each", functions, n)
	}

	<-time.After(vault.MinAge) // values are not read again earlier
	enter := step{name: "log in", method: "POST", path: "/api/auth/login",
		body: "username=test@example.com&password=an entirely new passphrase", status: 200, save: map[string]string{"access": "access_token"}}
	me := step{name: "me", method: "GET", path: "/api/users/me", header: "Authorization: Bearer ${access}", status: 200}
	second := role.Rotate()
	manager.PutText("database", login(t, second))
	role.Disconnect() // so that every connection is new
	for _, s := range []step{enter, me, me, enter} {
		retryStep(t, g, s, saved)
	}
	event, err := os.ReadFile("../events/schedule.json")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := api.processes["ncprovision"].Invoke(t.Context(), event); err != nil || string(out) != "null" {
		t.Errorf("the job returned %s, %v", out, err)
	}

	for _, name := range []string{"login", "users"} {
		if n := strings.Count(api.processes[name].Log(), `"message":"opened"`); n != 2 {
			t.Errorf("%s opened the database %d times, want 2", name, n)
		}
	}
	if n := manager.Refused(); n != 0 {
		t.Errorf("%d requests to Secrets Manager had a bad signature", n)
	}
	for name, p := range api.processes {
		for _, s := range []string{secret, cloudPassword, password(t, first), password(t, second), secretstest.SecretKey, secretstest.SessionToken} {
			if strings.Contains(p.Log(), s) {
				t.Errorf("the log of %s contains the secret %s", name, s)
			}
		}
	}
}

// retryStep repeats a step until it gets its status. Until then the only other response
// allowed is to retry later.
func retryStep(t *testing.T, g target, s step, saved map[string]string) {
	t.Helper()
	for deadline := time.After(answerTime); ; {
		resp, body := g.send(t, s, saved)
		if resp.StatusCode == s.status {
			for name, from := range s.save {
				saved[name] = pick(t, s, resp, body, from)
			}
			return
		}
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Fatalf("%s: got %d %s, want %d, or 503 with Retry-After", s.name, resp.StatusCode, body, s.status)
		}
		t.Logf("%s: %s", s.name, body)
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s: still %d %s", s.name, resp.StatusCode, body)
		}
	}
}

// login returns the URL of a database in the form in which RDS stores it.
func login(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"engine": "postgres", "host": u.Hostname(), "port": port, "dbname": strings.TrimPrefix(u.Path, "/"),
		"username": u.User.Username(), "password": password(t, dsn), "sslmode": u.Query().Get("sslmode"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// password returns the password in a database URL.
func password(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := u.User.Password()
	return p
}
