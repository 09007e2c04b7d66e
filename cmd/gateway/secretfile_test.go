package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// secret writes a secret with a newline to a file, and returns its path.
func (c console) secret(name, text string) string {
	c.Helper()
	path := filepath.Join(c.TempDir(), name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		c.Fatal(err)
	}
	return path
}

// keyFile reports whether the gateway has made keys of its own.
func (c console) keyFile() bool {
	_, err := os.Stat(filepath.Join(c.env["DATA_DIR"], "keys.json"))
	return err == nil
}

// TestSecretFiles_AreAsGoodAsVariables creates an account with secrets in variables, and
// uses the same ones from files.
func TestSecretFiles_AreAsGoodAsVariables(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	own, data := keyring.Generate().Reveal(), keyring.Generate().Reveal()
	c.env["JWT_SECRET"], c.env["DATA_SECRET"] = own, data
	c.do(0, "migrate", "up")
	c.do(0, "user", "import", c.file(importedUsers(1)))
	before, _ := c.do(0, "keys", "status")
	delete(c.env, "JWT_SECRET")
	delete(c.env, "DATA_SECRET")
	c.env["JWT_SECRET_FILE"], c.env["DATA_SECRET_FILE"] = c.secret("jwt", own), c.secret("data", data)
	if out, _ := c.do(0, "user", "list"); !strings.Contains(out, "user0@example.org") || c.keyFile() {
		t.Errorf("%s; made own keys: %t", out, c.keyFile())
	}
	if status, _ := c.do(0, "keys", "status"); status != before {
		t.Errorf("other keys in files:\n%sinstead of\n%s", status, before)
	}
	out, _ := c.do(0, "config", "check", "--set")
	for _, name := range []string{"JWT_SECRET", "DATA_SECRET"} {
		if !strings.Contains(out, c.env[name+"_FILE"]+"\n") || strings.Contains(out, name+"_FILE") {
			t.Errorf("%s is not shown with its file:\n%s", name, out)
		}
	}
	if strings.Contains(out, own) || strings.Contains(out, data) || strings.Contains(out, "warning") {
		t.Errorf("the check shows\n%s", out)
	}
	c.env["DATA_SECRET_FILE"] = c.secret("other", keyring.Generate().Reveal())
	if status, _ := c.do(0, "keys", "status"); status == before {
		t.Error("another file has the same key")
	}
}

func TestSecretFiles_AllMistakesAreNamed(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	own := keyring.Generate().Reveal()
	c.env["JWT_SECRET_FILE"] = "/nonexistent/jwt"
	c.env["DATABASE_URL_FILE"] = "/nonexistent/url"
	c.env["NEXTCLOUD_ADMIN_PASSWORD_FILE"] = "/nonexistent/password"
	c.env["DATA_SECRET"], c.env["DATA_SECRET_FILE"] = own, c.secret("data", own)
	for _, args := range []string{"user list", "serve", "keys rotate", "migrate up", "config check"} {
		out, problems := c.do(exitFailed, strings.Fields(args)...)
		for _, want := range []string{
			`JWT_SECRET_FILE is "/nonexistent/jwt"; it must be a file with the value of JWT_SECRET (`,
			`DATABASE_URL_FILE is "/nonexistent/url"; it must be a file with`,
			`NEXTCLOUD_ADMIN_PASSWORD_FILE is "/nonexistent/password"; it must be a file with`,
			`DATA_SECRET_FILE is set, and DATA_SECRET is, too;`,
		} {
			if args == "migrate up" && !strings.HasPrefix(want, "DATABASE") {
				continue // it needs no other secret
			}
			if args == "keys rotate" && (strings.HasPrefix(want, "DATABASE") || strings.HasPrefix(want, "NEXTCLOUD")) {
				continue // it begins with the keys
			}
			if !strings.Contains(out+problems, want) {
				t.Errorf("%s: got no %q in\n%s%s", args, want, out, problems)
			}
		}
		if strings.Contains(out+problems, own) || strings.Contains(out+problems, "JWT_SECRET is not set") || c.keyFile() {
			t.Errorf("%s: made own keys: %t\n%s%s", args, c.keyFile(), out, problems)
		}
	}
}

// TestSecretFiles_OfPreviousSecrets has the present secret in the key file, to which the
// gateway adds previous ones from a setting.
func TestSecretFiles_OfPreviousSecrets(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.do(0, "migrate", "up")
	c.do(0, "user", "import", c.file(importedUsers(1)))
	c.env["JWT_PREVIOUS_SECRETS_FILE"] = c.secret("previous", keyring.Generate().Reveal())
	c.do(0, "user", "list")
	if out, _ := c.do(0, "config", "check", "--set"); !c.keyFile() || strings.Contains(out, "mistake") {
		t.Errorf("key file: %t\n%s", c.keyFile(), out)
	}
}

func TestDoctor_ReadsThePasswordFromAFile(t *testing.T) {
	t.Parallel()
	_, env := cloud(t)
	c := console{t, env}
	env["NEXTCLOUD_ADMIN_PASSWORD_FILE"] = c.secret("password", env["NEXTCLOUD_ADMIN_PASSWORD"])
	delete(env, "NEXTCLOUD_ADMIN_PASSWORD")
	if code, out, problems := doctorOutput(t, env, "--read-only"); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, out, problems)
	}
	env["NEXTCLOUD_ADMIN_PASSWORD_FILE"] = "/nonexistent"
	if code, out, problems := doctorOutput(t, env, "--read-only"); code == 0 || !strings.Contains(out+problems, `NEXTCLOUD_ADMIN_PASSWORD_FILE is "/nonexistent"`) {
		t.Errorf("without the file: exit code %d\n%s%s", code, out, problems)
	}
}

// TestEnvFile_IsTheOneThatIsNamed reads settings from another file than .env.
func TestEnvFile_IsTheOneThatIsNamed(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.env["ENV_FILE"] = c.secret("other.env", "LOG_LEVEL=warn\nDEBUG=perhaps")
	out, problems := c.do(exitFailed, "config", "check", "--set")
	for _, want := range []string{c.env["ENV_FILE"] + ":1\n", "mistake  " + c.env["ENV_FILE"] + `:2: DEBUG is "perhaps"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s%s", want, out, problems)
		}
	}
	c.env["ENV_FILE"] = os.DevNull
	c.do(0, "config", "check")
	c.env["ENV_FILE"] = "/nonexistent/.env"
	if out, problems = c.do(exitFailed, "user", "list"); !strings.Contains(problems, "/nonexistent/.env") {
		t.Errorf("a file that does not exist: %s%s", out, problems)
	}
}
