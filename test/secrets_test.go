package test_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// TestSecrets_AreNeverInPlaintext has the gateway handle every kind of secret at the most
// verbose log level, with a Nextcloud that works and then refuses it. It searches for each
// secret in the store, the logs, the output of the commands, and the error responses.
func TestSecrets_AreNeverInPlaintext(t *testing.T) {
	t.Parallel()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			seen := &secrets{of: map[string]string{}, kinds: map[string]bool{}}
			cloud := newNextcloud(t)
			dir := t.TempDir()
			env, db := open(t, dir)
			secret, data := keyring.Generate().Reveal(), keyring.Generate().Reveal()
			seen.add("JWT_SECRET", secret)
			seen.add("DATA_SECRET", data)
			seen.add("Nextcloud's administrator", cloudPassword)
			env = append(append(env, listen(t, seen.watch(cloud))...), "LOG_LEVEL=debug", "JWT_SECRET="+secret, "DATA_SECRET="+data)
			admin(t, dir, env)
			seen.add("root's password", strings.TrimSpace(rootPassword))
			p := start(t, dir, nil, env...)
			g, saved := p.target(), map[string]string{"admin": "root@example.com"}
			var errorTexts strings.Builder
			g.check = func(_ testing.TB, _ *http.Request, sent []byte, resp *http.Response, answer []byte) {
				seen.ofRequest(sent)
				seen.ofAnswer(resp, answer)
				if resp.StatusCode >= 400 {
					errorTexts.Write(answer)
				}
			}
			play(t, g, acceptance(), saved)

			// All of it again, with a Nextcloud that refuses the gateway's credentials and
			// echoes what it receives.
			play(t, g, []step{{name: "log in", method: "POST", path: "/api/auth/login",
				body: `{"username":"test@example.com","password":"an entirely new passphrase"}`, status: 200, save: map[string]string{"access": "access_token"}}}, saved)
			cloud.RevokeAll("test@example.com")
			cloud.SetPassword("admin", "another one")
			cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
				user, password, _ := r.BasicAuth()
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if strings.HasPrefix(r.URL.Path, "/ocs/") && user == "admin" {
					return nextcloudtest.Answer(http.StatusInternalServerError, "text/html", "<p>"+user+":"+password+" sent "+string(body)+"</p>", 0)
				}
				return nil
			})
			bearer := "Authorization: Bearer ${access}"
			for _, s := range []step{
				{method: "GET", path: "/api/files/", header: bearer},
				{method: "POST", path: "/api/users/me/nextcloud/app-password", header: bearer, body: `{"name":"x","password":"an entirely new passphrase"}`},
				{method: "POST", path: "/api/users/change-password", header: bearer, body: `{"old_password":"wrong old one","new_password":"qwertyuiop"}`},
				{method: "POST", path: "/api/users/change-password", header: bearer, body: `{"old_password":"an entirely new passphrase","new_password":"the third passphrase"}`},
				{method: "POST", path: "/api/auth/login", body: `{"email":"test@example.com","password":"the third passphrase","transport":7}`},
				{method: "POST", path: "/api/nextcloud/reconcile", header: "Authorization: Bearer ${root}"},
			} {
				g.send(t, s, saved)
			}
			var output strings.Builder
			for _, args := range [][]string{{"doctor", "--json"}, {"reconcile", "--no-wait"}, {"sweep", "--plan"}} {
				out, code := command(t, dir, "", env, append([]string{"nextcloud"}, args...)...)
				if code == 0 {
					t.Errorf("%s succeeded and reported nothing: %s", args, out)
				}
				output.WriteString(out)
			}
			output.WriteString(keyCommands(t, seen, dir, env))
			p.stop(t)

			places := map[string]string{
				"an error": errorTexts.String(), "a command": output.String(), "the log": p.stdout.String(), "standard error": p.stderr.String(),
				"the rows": strings.Join(rows(t, db(), whole...), "\n"),
			}
			files, err := filepath.Glob(filepath.Join(dir, "gateway.db*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				places[filepath.Base(file)] = string(content)
			}
			seen.lookFor(t, places)
		})
	}
}

// keyCommands runs the commands that show keys and events, and a rotation of both kinds of
// keys in a key file, and returns their output. It adds the keys to seen.
func keyCommands(t *testing.T, seen *secrets, dir string, env []string) string {
	t.Helper()
	var output strings.Builder
	run := func(want int, env []string, args ...string) {
		t.Helper()
		out, code := command(t, dir, "", env, args...)
		if code != want || out == "" {
			t.Errorf("%s: %d %s", args, code, out)
		}
		output.WriteString(out)
	}
	run(0, env, "audit", "list", "--json")
	run(0, env, "audit", "list")
	run(0, env, "audit", "verify")
	run(0, env, "keys", "status")
	run(1, env, "keys", "rotate")
	k := keyDir{dir: t.TempDir(), env: append(slices.Clone(env), "JWT_SECRET=", "DATA_SECRET=", "JWT_ALGORITHM=EdDSA")}
	k.env = append(k.env, "JWT_KEYS_DIR="+k.dir)
	for _, args := range [][]string{
		{"rotate"}, {"rotate", "--older-than", "0s"}, {"rotate"}, {"rotate", "--data", "--older-than", "0s"}, {"status"}, {"status", "--json"},
	} {
		run(0, k.env, append([]string{"keys"}, args...)...)
	}
	set, err := keystore.In(k.dir).Read()
	if err != nil || len(set.Secrets) != 1 || len(set.Data) != 2 || len(set.Signing) != 2 {
		t.Fatalf("%d secrets, %d data secrets and %d signing keys, %v", len(set.Secrets), len(set.Data), len(set.Signing), err)
	}
	for _, key := range slices.Concat(set.Secrets, set.Data) {
		seen.add("a kept secret", key.Text.Reveal())
	}
	for _, key := range set.Signing {
		seen.add("a signing key", strings.Split(key.Text.Reveal(), "\n")[1])
	}
	if err := os.WriteFile(keystore.In(k.dir).Path(), []byte(`{"secrets":[{"key":"`+set.Secrets[0].Text.Reveal()+`","x":1}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"keys", "status"}, {"keys", "rotate"}, {"keys", "rotate", "--data"}, {"keys", "reseal"}} {
		run(1, k.env, args...) // reports that the file is broken without quoting it
	}
	return output.String()
}

// secrets holds the strings that must not be found, each with its kind.
type secrets struct {
	mu    sync.Mutex
	of    map[string]string
	kinds map[string]bool // the kinds seen
}

func (s *secrets) add(what, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if secret != "" && secret != "wrong" && secret != "b" { // too short to search for
		s.of[secret], s.kinds[what] = what, true
	}
}

// watch records the secrets sent to and received from Nextcloud.
func (s *secrets) watch(h http.Handler) http.Handler {
	token := regexp.MustCompile(`"apppassword":"([^"]+)"`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		s.add("a credential of "+user+" at Nextcloud", password)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil {
			s.add("a password sent to Nextcloud", form.Get("password"))
			if form.Get("key") == "password" {
				s.add("a password set in Nextcloud", form.Get("value"))
			}
		}
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r)
		for _, found := range token.FindAllStringSubmatch(out.Body.String(), -1) {
			s.add("an app password", found[1])
		}
		maps.Copy(w.Header(), out.Header())
		w.WriteHeader(out.Code)
		w.Write(out.Body.Bytes())
	})
}

func (s *secrets) ofRequest(sent []byte) {
	var body map[string]any
	if json.Unmarshal(sent, &body) != nil {
		return
	}
	for _, field := range []string{"password", "old_password", "new_password"} {
		if text, ok := body[field].(string); ok && !strings.Contains(text, "\x00") {
			s.add("a "+field, text)
		}
	}
}

func (s *secrets) ofAnswer(resp *http.Response, answer []byte) {
	for _, c := range resp.Cookies() {
		s.add("a cookie", c.Value)
	}
	var body map[string]any
	if json.Unmarshal(answer, &body) != nil {
		return
	}
	for _, field := range []string{"access_token", "refresh_token", "password"} {
		if text, ok := body[field].(string); ok {
			s.add("an answer's "+field, text)
		}
	}
}

// lookFor fails the test for each secret found at one of the places, in the clear or in a
// form that is easily reversed.
func (s *secrets) lookFor(t *testing.T, places map[string]string) {
	t.Helper()
	for secret, what := range s.of {
		forms := []string{
			secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
			inBase64(secret), inBase64("admin:" + secret), inBase64("test@example.com:" + secret),
		}
		for place, text := range places {
			for _, form := range forms {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s contains %s: …%q…", place, what, text[max(0, at-80):min(len(text), at+80)])
				}
			}
		}
	}
	for _, what := range []string{
		"a password", "a new_password", "an app password", "a password sent to Nextcloud", "a password set in Nextcloud",
		"an answer's access_token", "an answer's refresh_token", "an answer's password", "a cookie",
		"a credential of test@example.com at Nextcloud", "a kept secret", "a signing key",
	} {
		if !s.kinds[what] {
			t.Errorf("the script had no %s: %v", what, s.kinds)
		}
	}
	for place, text := range places {
		if text == "" && place != "standard error" {
			t.Errorf("nothing was written to %s", place)
		}
	}
}

// inBase64 returns the text in base64 without its end, which depends on what follows.
func inBase64(text string) string {
	encoded := base64.RawStdEncoding.EncodeToString([]byte(text))
	return encoded[:max(8, len(encoded)-2)]
}
