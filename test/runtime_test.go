package test_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// A visit is a request to a function that needs the database. ${access} and ${refresh} are
// tokens of an administrator, from a login for this visit only.
type visit struct {
	method, path, body string
	status             int
}

func visits() map[string]visit {
	return map[string]visit{
		"audit":       {"GET", "/api/audit", "", 200},
		"files":       {"GET", "/api/files/", "", 409},
		"health":      {"GET", "/ready", "", 200},
		"login":       {"POST", "/api/auth/login", `{"email":"nobody@example.com","password":"wrong"}`, 401},
		"logout":      {"POST", "/api/auth/logout", `{"refresh_token":"${refresh}"}`, 204},
		"mfa":         {"GET", "/api/auth/2fa/status", "", 200},
		"ncprovision": {"GET", "/api/nextcloud/accounts", "", 200},
		"recover":     {"POST", "/api/auth/forgot-password", `{"email":"nobody@example.com"}`, 202},
		"refresh":     {"POST", "/api/auth/refresh", `{"refresh_token":"${refresh}"}`, 200},
		"register":    {"POST", "/api/auth/register", `{"email":"ada@example.com","password":"correct horse battery"}`, 200},
		"keys":        {"GET", "/api/auth/api-keys", "", 200},
		"sessions":    {"GET", "/api/sessions", "", 200},
		"users":       {"GET", "/api/users/me", "", 200},
	}
}

// shutdownTime is how long Lambda leaves a function between SIGTERM and SIGKILL.
const shutdownTime = 500 * time.Millisecond

// TestFunctions_UnderTheRuntimeInterface drives every function, as deployed, through
// Lambda's own protocol from start to end.
func TestFunctions_UnderTheRuntimeInterface(t *testing.T) {
	t.Parallel()
	h := newBackend(t)
	ends := make(chan time.Duration, len(subjects()))
	t.Cleanup(func() { // all have finished
		close(ends)
		// On a busy machine each may take longer. They all do the same work, so the fastest
		// one is enough.
		least := answerTime
		for took := range ends {
			least = min(least, took)
		}
		if least > shutdownTime {
			t.Errorf("after SIGTERM the fastest function ends after %v, want at most %v", least, shutdownTime)
		}
	})
	for _, s := range subjects()[1:] {
		if s.job {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			line := storetest.NewLine(t, h.database)
			p := faastest.Start(t, faastest.Build(t, s.pkg), h.with(line.URL())...)
			if e := p.InitError(); e != nil {
				t.Fatalf("init: %v", e)
			}
			for _, which := range []string{"first", "warm"} {
				if got := ask(t, p, visit{s.method, s.path, s.body, 0}, nil); got.StatusCode != s.status {
					t.Errorf("the %s response is %d, want %d", which, got.StatusCode, s.status)
				}
			}
			if n := line.Connections(); n != 0 {
				t.Errorf("the function made %d connections to the database before a request needed one", n)
			}
			refused(t, p)
			v, data := visits()[s.name]
			if !data {
				if code := p.Shutdown(); code != -1 || line.Connections() != 0 {
					t.Errorf("exit code %d, %d connections; want a process that makes no connection and is killed", code, line.Connections())
				}
				return
			}
			tokens := h.login(t)
			if got := ask(t, p, v, tokens); got.StatusCode != v.status {
				t.Errorf("a request that needs the database got %d, want %d", got.StatusCode, v.status)
			}
			made := line.Connections()
			if made < 1 || made > 2 {
				t.Errorf("the function made %d connections, want 1 or 2", made)
			}
			start := time.Now()
			code := p.Shutdown()
			ends <- time.Since(start)
			if code != 0 {
				t.Errorf("after SIGTERM: exit code %d, want 0", code)
			}
			if n := line.CleanCloses(); n != made {
				t.Errorf("the function closed %d of %d connections, want all", n, made)
			}
		})
	}
}

// TestFunctions_RequireASecondFactorOfAdministrators calls the functions for signed-in users
// as an administrator who must have a second factor and has none.
func TestFunctions_RequireASecondFactorOfAdministrators(t *testing.T) {
	t.Parallel()
	h := newBackend(t)
	tokens := h.login(t)
	for name, path := range map[string]string{
		"audit": "/api/audit", "files": "/api/files/", "keys": "/api/auth/api-keys", "ncprovision": "/api/nextcloud/accounts",
		"sessions": "/api/sessions", "users": "/api/users",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := append(h.with(h.database), "REQUIRE_2FA_FOR_ADMINS=true")
			p := faastest.Start(t, faastest.Build(t, "../functions/"+name+"/bootstrap"), env...)
			resp := ask(t, p, visit{"GET", path, "", http.StatusForbidden}, tokens)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusForbidden || !strings.Contains(string(b), "second_factor_required") {
				t.Errorf("got %d %s, %v; want 403 second_factor_required", resp.StatusCode, b, err)
			}
		})
	}
}

// refused sends an event that is not a request, and a bad request. They get a function
// error and a response to the client, and neither affects the next event.
func refused(t *testing.T, p *faastest.Process) {
	t.Helper()
	_, err := p.Invoke(t.Context(), []byte(`{"source":"aws.s3","detail-type":"Object Created"}`))
	if e, ok := errors.AsType[*faastest.FunctionError](err); !ok || e.Type != "Function.UnknownEvent" {
		t.Errorf("an event of another service: got %v, want Function.UnknownEvent", err)
	}
	event := `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"POST"}},"body":"%","isBase64Encoded":true}`
	answer, err := p.Invoke(t.Context(), []byte(event))
	if err != nil || !bytes.Contains(answer, []byte(`"statusCode":400`)) || !bytes.Contains(answer, []byte("malformed_request")) {
		t.Errorf("a body that is not base64: got %s, %v; want 400", answer, err)
	}
}

// A backend is a database with an administrator, and the settings of functions that use it.
type backend struct {
	database string
	env      []string
	door     *faastest.Process // the login function
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	h := &backend{database: database(t), env: []string{"JWT_SECRET=" + keyring.Generate().Reveal(), "BCRYPT_COST=10"}}
	h.env = append(h.env, unlimited()...)
	admin(t, t.TempDir(), h.with(h.database))
	h.door = faastest.Start(t, faastest.Build(t, "../functions/login/bootstrap"), h.with(h.database)...)
	return h
}

// with returns the settings for the database at url.
func (h *backend) with(url string) []string {
	return append([]string{"DATABASE_URL=" + url}, h.env...)
}

// login returns the tokens of a new login of the administrator.
func (h *backend) login(t *testing.T) map[string]string {
	t.Helper()
	v := visit{"POST", "/api/auth/login", `{"email":"root@example.com","password":"` + strings.TrimSpace(rootPassword) + `"}`, 200}
	resp := ask(t, h.door, v, nil)
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != v.status {
		t.Fatalf("log in: %d %s, %v", resp.StatusCode, b, err)
	}
	tokens := map[string]string{}
	for name, member := range map[string]string{"access": "access_token", "refresh": "refresh_token"} {
		tokens[name] = pick(t, step{name: "log in"}, resp, string(b), member)
	}
	return tokens
}

// ask sends v through an HTTP API, with the tokens if there are any.
func ask(t *testing.T, p *faastest.Process, v visit, tokens map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), v.method, public+v.path, strings.NewReader(strings.ReplaceAll(v.body, "${refresh}", tokens["refresh"])))
	if err != nil {
		t.Fatal(err)
	}
	if v.body != "" {
		r.Header.Set("Content-Type", "application/json")
	} else if tokens != nil {
		r.Header.Set("Authorization", "Bearer "+tokens["access"])
	}
	resp, err := faastest.FrontV2.Client(p).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestFunctions_ReportMissingSettings starts every function without settings, and with wrong
// ones. It must report in one line what is missing, and exit.
func TestFunctions_ReportMissingSettings(t *testing.T) {
	t.Parallel()
	const secret, url = "hunter2-hunter2", "postgres://ada:hunter2@:bad/"
	for _, s := range subjects()[1:] {
		needs := []string{"DATABASE_URL is not set", "JWT_SECRET is not set"}
		switch s.name {
		case "jwks", "page":
			needs = nil // jwks publishes keys that need no secret with these settings; page needs nothing
		case "health":
			needs = needs[:1]
		}
		for name, tt := range map[string]struct {
			env  []string
			want []string
		}{
			"nothing is set": {nil, needs},
			"all is wrong": {
				[]string{"LOG_LEVEL=loud", "JWT_SECRET=" + secret, "DATABASE_URL=" + url},
				[]string{"LOG_LEVEL is \"loud\"; it must be one of"},
			},
		} {
			t.Run(s.name+", "+name, func(t *testing.T) {
				t.Parallel()
				p := faastest.Start(t, faastest.Build(t, s.pkg), tt.env...)
				e := p.InitError()
				if len(tt.want) == 0 {
					if e != nil {
						t.Errorf("init: %v", e)
					}
					return
				}
				if e == nil || e.Type != "Function.StartFailed" || strings.Contains(e.Message, "\n") {
					t.Fatalf("got the init error %v, want Function.StartFailed in one line", e)
				}
				for _, want := range tt.want {
					if !strings.Contains(e.Message, want) {
						t.Errorf("the error lacks %q: %s", want, e.Message)
					}
				}
				if code := p.Wait(); code != 1 {
					t.Errorf("exit code %d, want 1", code)
				}
				if printed := p.Log() + e.Message; strings.Contains(printed, "hunter2") {
					t.Errorf("the output contains a secret: %s", printed)
				}
			})
		}
	}
}

// TestFunctions_RefuseAnOlderSchema starts every function on a database with a pending
// migration, and then migrates.
func TestFunctions_RefuseAnOlderSchema(t *testing.T) {
	t.Parallel()
	const cure = "run gateway migrate up"
	h := newBackend(t)
	tokens := map[string]map[string]string{}
	for name := range visits() {
		tokens[name] = h.login(t)
	}
	db := storetest.OpenPostgres(t, h.database)
	defer db.Close()
	mark := func(applied bool) {
		if _, err := db.Handle().ExecContext(t.Context(), "UPDATE goose_db_version SET is_applied = $1 WHERE version_id > 0", applied); err != nil {
			t.Fatal(err)
		}
	}
	mark(false)
	started := map[string]*faastest.Process{}
	for name, v := range visits() {
		p := faastest.Start(t, faastest.Build(t, "../functions/"+name+"/bootstrap"), h.with(h.database)...)
		started[name] = p
		resp := ask(t, p, v, tokens[name])
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s, %v; want 503 with Retry-After", name, resp.StatusCode, body, err)
		}
		problem := `"code":"schema_outdated"`
		if name == "health" { // it reports the schema among other things
			problem = cure
		}
		if !strings.Contains(string(body), problem) {
			t.Errorf("%s: the response lacks %s: %s", name, problem, body)
		}
	}
	mark(true)
	for name, v := range visits() {
		if name == "health" {
			continue // it checks once a second
		}
		if resp := ask(t, started[name], v, tokens[name]); resp.StatusCode != v.status {
			t.Errorf("%s: %d after the migration, want %d", name, resp.StatusCode, v.status)
		}
		started[name].Shutdown()
		if log := started[name].Log(); !strings.Contains(log, cure) {
			t.Errorf("%s: the log lacks %q: %s", name, cure, log)
		}
	}
}

// TestFunctions_TolerateANewerSchema follows the order of a deployment: migrate first.
func TestFunctions_TolerateANewerSchema(t *testing.T) {
	t.Parallel()
	h := newBackend(t)
	db := storetest.OpenPostgres(t, h.database)
	defer db.Close()
	if _, err := db.Handle().ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
		t.Fatal(err)
	}
	for name, v := range visits() {
		p := faastest.Start(t, faastest.Build(t, "../functions/"+name+"/bootstrap"), h.with(h.database)...)
		if resp := ask(t, p, v, h.login(t)); resp.StatusCode != v.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, v.status)
		}
	}
}

// schedule returns the event of a schedule.
func schedule(t *testing.T) []byte {
	t.Helper()
	event, err := os.ReadFile("../events/schedule.json")
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// TestSchedule_LooksAfterTheDatabase runs the scheduled job of ncprovision as deployed,
// without a Nextcloud. On Lambda nothing else gives events their place in the audit trail
// and prunes them, or removes expired logins and limits.
func TestSchedule_LooksAfterTheDatabase(t *testing.T) {
	t.Parallel()
	h := newBackend(t)
	h.login(t)
	h.login(t)
	db := storetest.OpenPostgres(t, h.database)
	defer db.Close()
	for _, sql := range []string{
		"UPDATE logins SET expires_at = now() - interval '25 hours', sweep_at = now() - interval '25 hours' WHERE id = (SELECT id FROM logins ORDER BY id LIMIT 1)",
		"UPDATE audit_events SET at = now() - interval '2 days' WHERE id = (SELECT id FROM audit_events ORDER BY id LIMIT 1)",
		"INSERT INTO rate_limits (key, kept, allowed) VALUES ('old', 0, TRUE)",
	} {
		if r, err := db.Handle().ExecContext(t.Context(), sql); err != nil {
			t.Fatal(err)
		} else if n, err := r.RowsAffected(); n != 1 || err != nil {
			t.Fatalf("%s: %d rows, %v", sql, n, err)
		}
	}
	p := faastest.Start(t, faastest.Build(t, "../functions/ncprovision/bootstrap"), append(h.with(h.database), "AUDIT_RETENTION_DAYS=1")...)
	if out, err := p.Invoke(t.Context(), schedule(t)); err != nil || string(out) != "null" {
		t.Fatalf("the job returned %s, %v", out, err)
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM logins":                         1,
		"SELECT count(*) FROM audit_events WHERE seq IS NULL": 0,
		"SELECT min(seq) FROM audit_events":                   2, // the first one is pruned
		"SELECT count(*) FROM rate_limits":                    0,
	} {
		var got int
		if err := db.Handle().QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", query, got, err, want)
		}
	}
	p.Shutdown()
	if log := p.Log(); strings.Contains(log, "OldestUnprovisionedSeconds") {
		t.Errorf("without a Nextcloud, the log has the metric OldestUnprovisionedSeconds: %s", log)
	}
}

// TestJWKS_PublishesTheKeyOfASecret has another service check a token signed by the login
// function, with the key that the jwks function derives from the secret.
func TestJWKS_PublishesTheKeyOfASecret(t *testing.T) {
	t.Parallel()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	manager := secretstest.New(t)
	arn := manager.Put(t, "gateway", map[string]string{"JWT_PRIVATE_KEY": key, "JWT_SECRET": "x", "DATABASE_URL": "x"})
	h := newBackend(t)
	h.env = append(h.env, "JWT_ALGORITHM=EdDSA", "JWT_PRIVATE_KEY="+key)
	h.door = faastest.Start(t, faastest.Build(t, "../functions/login/bootstrap"), h.with(h.database)...)
	access := strings.Split(h.login(t)["access"], ".")

	p := faastest.Start(t, faastest.Build(t, "../functions/jwks/bootstrap"), append(manager.Env(arn), "JWT_ALGORITHM=EdDSA")...)
	if e := p.InitError(); e != nil || manager.Fetches() != 0 {
		t.Errorf("init: %v, after %d fetches; want none", e, manager.Fetches())
	}
	resp := ask(t, p, visit{"GET", "/.well-known/jwks.json", "", 200}, nil)
	var set struct {
		Keys []struct{ X string }
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &set)
	}
	if err != nil || len(set.Keys) != 1 {
		t.Fatalf("the set is %s, %v", body, err)
	}
	public, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	if err != nil || len(public) != ed25519.PublicKeySize {
		t.Fatalf("the key is %s, %v", body, err)
	}
	signature, err := base64.RawURLEncoding.DecodeString(access[2])
	if err != nil || !ed25519.Verify(public, []byte(access[0]+"."+access[1]), signature) {
		t.Errorf("a token of login does not verify with %s", body)
	}
	if strings.Contains(p.Log()+string(body), "PRIVATE KEY") {
		t.Error("the output contains the private key")
	}
}
