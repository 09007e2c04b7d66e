package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// secretFile writes a file with a secret and returns its path.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnv_ReadsEverySecretFromAFile(t *testing.T) {
	t.Parallel()
	for _, name := range config.FileSecrets() {
		env := config.Map(map[string]string{name + "_FILE": " " + secretFile(t, "postgres://host/name\n") + " ", "LOG_LEVEL_FILE": "/x"})
		if s, l, u := env.Secret(name), env.List(name), env.SecretURL(name); s != "postgres://host/name" || len(l) != 1 || l[0] != s.Reveal() || u != s {
			t.Errorf("%s: %q, %q, %q", name, s.Reveal(), l, u.Reveal())
		}
		if got := env.String("LOG_LEVEL", "info"); got != "info" {
			t.Errorf("a setting that is no secret is read from a file: %q", got)
		}
		if err := env.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnv_RemovesOneNewlineFromAFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a": "a", "a\n": "a", "a\r\n": "a", "a\n\n": "a\n", " a \n": " a ", "\na\r": "\na\r", "a\r\r\n": "a\r",
	} {
		env := config.Map(map[string]string{"JWT_SECRET_FILE": secretFile(t, text)})
		if got := env.Secret("JWT_SECRET"); got.Reveal() != want || env.Err() != nil {
			t.Errorf("%q: %q, %v; want %q", text, got.Reveal(), env.Err(), want)
		}
	}
}

// TestEnv_NamesEveryBadFile has mistakes in all variables, of which none is followed by
// another about the secret itself.
func TestEnv_NamesEveryBadFile(t *testing.T) {
	t.Parallel()
	const plain = "the secret itself"
	dir, empty, long := t.TempDir(), secretFile(t, " \n"), secretFile(t, strings.Repeat("x", 64<<10+1))
	env := config.Map(map[string]string{
		"JWT_SECRET_FILE":               dir + "/missing",
		"DATA_SECRET_FILE":              dir,
		"DATABASE_URL_FILE":             empty,
		"SMTP_URL_FILE":                 long,
		"NEXTCLOUD_ADMIN_PASSWORD_FILE": secretFile(t, plain), "NEXTCLOUD_ADMIN_PASSWORD": plain,
	})
	for range 2 { // several packages read the same variable
		for _, name := range []string{"JWT_SECRET", "DATA_SECRET", "DATABASE_URL", "SMTP_URL"} {
			if got := env.Secret(name); got != "" {
				t.Errorf("%s is %q", name, got.Reveal())
			}
			env.RefuseSecret(name, "is not set", "a secret")
		}
		env.Secret("NEXTCLOUD_ADMIN_PASSWORD")
	}
	err := env.Err()
	if err == nil || strings.Contains(err.Error(), plain) {
		t.Fatal(err)
	}
	want := []string{
		`JWT_SECRET_FILE is "` + dir + `/missing"; it must be a file with the value of JWT_SECRET (open ` + dir + `/missing: no such file or directory)`,
		`DATA_SECRET_FILE is "` + dir + `"; it must be a file with the value of DATA_SECRET (read ` + dir + `: is a directory)`,
		`DATABASE_URL_FILE is "` + empty + `"; it must be a file with the value of DATABASE_URL (it is empty)`,
		`SMTP_URL_FILE is "` + long + `"; it must be a file with the value of SMTP_URL (it has more than 65536 bytes)`,
		`NEXTCLOUD_ADMIN_PASSWORD_FILE is set, and NEXTCLOUD_ADMIN_PASSWORD is, too; it must be the only one of the two`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// TestEnv_RenewReadsTheFileAgain replaces a file while the process runs.
func TestEnv_RenewReadsTheFileAgain(t *testing.T) {
	t.Parallel()
	path := secretFile(t, "old")
	env := config.Map(map[string]string{"DATABASE_URL_FILE": path, "JWT_SECRET": "x"})
	if env.Secret("DATABASE_URL") != "old" {
		t.Fatal(env.Err())
	}
	if err := os.WriteFile(path, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := env.Secret("DATABASE_URL"); got != "old" {
		t.Errorf("one Env returns two values, %q", got.Reveal())
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := env.Renew(t.Context(), "DATABASE_URL"); got != "new" {
				t.Errorf("got %q", got.Reveal())
			}
		})
	}
	wg.Wait()
	env.RenewWith(func(_ context.Context, name string) secret.String { return secret.String("renewed " + name) })
	for name, want := range map[string]secret.String{"DATABASE_URL": "new", "JWT_SECRET": "renewed JWT_SECRET"} {
		if got := env.Renew(t.Context(), name); got != want {
			t.Errorf("%s: %q, want %q", name, got.Reveal(), want.Reveal())
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := env.Renew(t.Context(), "DATABASE_URL"); got != "" {
		t.Errorf("without the file: %q", got.Reveal())
	}
}
