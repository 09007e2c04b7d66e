package test_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
)

// A keyDir is the directory of a key file, and the settings of the processes that use it.
type keyDir struct {
	dir string
	env []string
}

// age lets time pass for the keys by moving every time in the file back.
func (k keyDir) age(t *testing.T, by time.Duration) {
	t.Helper()
	older := func(keys keystore.Keys) keystore.Keys {
		keys = slices.Clone(keys)
		for i := range keys {
			keys[i].Published = keys[i].Published.Add(-by)
			if !keys[i].Signs.IsZero() {
				keys[i].Signs = keys[i].Signs.Add(-by)
			}
		}
		return keys
	}
	err := keystore.In(k.dir).Update(t.Context(), func(set keystore.Set) (keystore.Set, error) {
		return keystore.Set{Secrets: older(set.Secrets), Data: older(set.Data), Signing: older(set.Signing)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run runs `gateway keys` and returns its output.
func (k keyDir) run(t *testing.T, args ...string) string {
	t.Helper()
	out, code := command(t, k.dir, "", k.env, append([]string{"keys"}, args...)...)
	if code != 0 {
		t.Errorf("keys %s: exit code %d, want 0\n%s", args, code, out)
	}
	return out
}

// states returns the IDs of the keys of a kind by their state.
func (k keyDir) states(t *testing.T, kind string) map[string]string {
	t.Helper()
	var report struct {
		Keys []struct{ Kind, State, KID string }
	}
	if err := json.Unmarshal([]byte(k.run(t, "status", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, key := range report.Keys {
		if key.Kind == kind {
			if states[key.State] != "" {
				t.Errorf("two keys have the state %s: %+v", key.State, report.Keys)
			}
			states[key.State] = key.KID
		}
	}
	return states
}

// kid returns the ID of the key that signed a token.
func kid(t testing.TB, raw string) string {
	first, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	var header struct{ Kid string }
	if err != nil || json.Unmarshal(text, &header) != nil {
		t.Errorf("got %q, want the header of a token", first)
	}
	return header.Kid
}

// TestKeys_KilledRotationKeepsKeys kills rotations after increasing delays, and expects
// each to leave complete keys.
func TestKeys_KilledRotationKeepsKeys(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir(), env: []string{"JWT_ALGORITHM=EdDSA"}}
	k.run(t, "rotate")
	const kills = 8
	took := time.Now()
	k.run(t, "rotate", "--older-than", "0s")
	all := time.Since(took)
	for i := range kills {
		k.age(t, 2*time.Hour) // the next step is due, whichever it is
		cmd := exec.Command(gateway(t), "keys", "rotate", "--older-than", "0s")
		cmd.Dir, cmd.Env = k.dir, append([]string{"DATA_DIR=" + k.dir}, k.env...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(all * time.Duration(i+1) / kills)
		cmd.Process.Kill()
		cmd.Wait()
		if states := k.states(t, "signing key"); states["signs"] == "" || len(states) > 2 {
			t.Errorf("after a kill, got %v", states)
		}
	}
	for range 3 { // every rotation can be finished
		k.age(t, 2*time.Hour)
		if out := k.run(t, "rotate", "--older-than", "0s"); strings.Contains(out, "nothing") {
			t.Errorf("a step that is due was not taken: %s", out)
		}
	}
}

// TestKeys_FromSettingsAreTheOperators expects exact instructions instead of changes.
func TestKeys_FromSettingsAreTheOperators(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(want int, env []string, args ...string) string {
		t.Helper()
		out, code := command(t, dir, "", env, append([]string{"keys"}, args...)...)
		if code != want {
			t.Errorf("keys %s: exit code %d, want %d\n%s", args, code, want, out)
		}
		return out
	}
	id := regexp.MustCompile(`the signing key (\S+) for`)
	var ids []string
	for _, name := range []string{"old.pem", "new.pem"} {
		out := run(0, nil, "generate", "--algorithm", "ES256", "--out", name)
		ids = append(ids, id.FindStringSubmatch(out)[1])
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, want 0600; %v", name, info.Mode(), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "old.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if out := run(1, nil, "generate", "--algorithm", "ES256", "--out", "old.pem"); !strings.Contains(out, "old.pem exists") {
		t.Errorf("keys generate onto a key: got %s, want that the file exists", out)
	}
	if now, err := os.ReadFile(filepath.Join(dir, "old.pem")); err != nil || string(now) != string(text) {
		t.Errorf("keys generate replaced a key, %v", err)
	}
	if out := run(2, nil, "generate", "--algorithm", "none"); !strings.Contains(out, `"none"`) {
		t.Errorf("got %s, want it to name the algorithm", out)
	}
	if out := run(0, nil, "generate", "--algorithm", "HS256"); len(strings.TrimSpace(out)) != 64 {
		t.Errorf("got the secret in %d characters, want 64", len(strings.TrimSpace(out)))
	}

	base := []string{"JWT_ALGORITHM=ES256"}
	secret, data := "JWT_SECRET=0123456789abcdefghijklmnopqrstuv", "DATA_SECRET=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for _, test := range []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"a single key", []string{"JWT_PRIVATE_KEY_FILE=old.pem"}, nil, []string{ids[0], "keys generate --algorithm ES256 --out FILE", "set JWT_NEXT_PUBLIC_KEY_FILE to FILE.pub"}},
		{"a published next key", []string{"JWT_PRIVATE_KEY_FILE=old.pem", "JWT_NEXT_PUBLIC_KEY_FILE=new.pem.pub"}, nil,
			[]string{"set JWT_PRIVATE_KEY_FILE to the private half of " + ids[1], "JWT_PREVIOUS_PUBLIC_KEY_FILE to the public half of " + ids[0], "not before"}},
		{"a previous key", []string{"JWT_PRIVATE_KEY_FILE=new.pem", "JWT_PREVIOUS_PUBLIC_KEY_FILE=old.pem.pub"}, nil,
			[]string{"16m10s after " + ids[1], "take out JWT_PREVIOUS_PUBLIC_KEY"}},
		{"no data secret", []string{secret}, []string{"--data"},
			[]string{"Set DATA_SECRET to what JWT_SECRET is now and DATA_PREVIOUS_SECRETS to NEW", "DATA_PREVIOUS_SECRETS to what JWT_SECRET is now", "168h1m0s", "keys reseal"}},
		{"a data secret", []string{data}, []string{"--data"}, []string{"Set DATA_PREVIOUS_SECRETS to NEW", "to what DATA_SECRET is now", "168h1m0s", "keys reseal"}},
		{"two data secrets", []string{data, "DATA_PREVIOUS_SECRETS=vutsrqponmlkjihgfedcba9876543210"}, []string{"--data"}, []string{"exchange the values of DATA_SECRET", "keys reseal"}},
		{"one secret for everything", []string{"JWT_ALGORITHM=HS256", secret}, nil, []string{"Set JWT_PREVIOUS_SECRETS to NEW", "168h1m0s run `gateway keys reseal`", "verifies access tokens"}},
		{"two secrets", []string{"JWT_ALGORITHM=HS256", secret, data}, nil, []string{"Set JWT_PREVIOUS_SECRETS to NEW", "16m10s take JWT_PREVIOUS_SECRETS out"}},
	} {
		env := append(slices.Clone(base), test.env...)
		out := run(1, env, append([]string{"rotate"}, test.args...)...)
		for _, want := range append(test.want, "nothing changed") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: got no %q in\n%s", test.name, want, out)
			}
		}
	}
	out := run(0, append(base, "JWT_PRIVATE_KEY_FILE=old.pem", "JWT_NEXT_PUBLIC_KEY_FILE=new.pem.pub", secret), "status")
	for _, want := range []string{"algorithm: ES256", ids[0], ids[1], "may sign from", "JWT_SECRET"} {
		if !strings.Contains(out, want) {
			t.Errorf("got no %q in\n%s", want, out)
		}
	}
	if _, err := os.Stat(keystore.In(dir).Path()); err == nil {
		t.Error("a command that changes nothing created the key file")
	}
}

// TestKeys_FilesAreReloaded replaces the file that a setting names.
func TestKeys_FilesAreReloaded(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir()}
	k.run(t, "generate", "--algorithm", "ES256", "--out", "key.pem")
	k.run(t, "generate", "--algorithm", "ES256", "--out", "next.pem")
	k.env = []string{"JWT_ALGORITHM=ES256", "JWT_PRIVATE_KEY_FILE=key.pem", "JWT_NEXT_PUBLIC_KEY_FILE=next.pem.pub"}
	next := k.states(t, "signing key")["next"]
	p := start(t, k.dir, nil, k.env...)
	if err := os.Rename(filepath.Join(k.dir, "next.pem"), filepath.Join(k.dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	until(t, "the new key signs", func() bool {
		_, body := get(t, p.client, p.https+"/.well-known/jwks.json")
		return strings.Count(body, `"kid"`) == 1 && strings.Contains(body, next)
	})
}

// TestKeys_LeakedKeysAreRefusedAtOnce replaces a leaked key, also by one of another
// algorithm.
func TestKeys_LeakedKeysAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir(), env: []string{"JWT_ALGORITHM=EdDSA"}}
	if out, code := command(t, k.dir, "", k.env, "audit", "verify"); code != 3 || !strings.Contains(out, "JWT_PRIVATE_KEY_FILE") {
		t.Errorf("audit verify without a key: exit code %d, want 3\n%s", code, out)
	}
	k.run(t, "rotate")
	p := start(t, k.dir, nil, k.env...)
	const who = `{"email":"ada@example.com","password":"correct horse battery staple"}`
	var got pair
	if !call(p, "POST", "/api/auth/register", "", who, nil) || !call(p, "POST", "/api/auth/login", "", who, &got) {
		t.Fatal("the user cannot register and sign in")
	}
	k.run(t, "rotate", "--now")
	until(t, "the leaked key is refused", func() bool { return !call(p, "GET", "/api/users/me", got.Access, "", nil) })
	if !call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, got.Refresh), &got) ||
		!call(p, "GET", "/api/users/me", got.Access, "", nil) {
		t.Error("after a refresh, the access token is rejected")
	}
	k.run(t, "rotate", "--data", "--now")
	until(t, "refresh tokens of the leaked secret are refused", func() bool {
		return !call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, got.Refresh), nil)
	})
	if !call(p, "POST", "/api/auth/login", "", who, nil) {
		t.Error("the user cannot sign in after the rotation")
	}
	p.stop(t)
	if n := strings.Count(p.stdout.String(), `"level":"ERROR"`); n != 0 {
		t.Errorf("the log has %d errors, want none", n)
	}

	k.env = []string{"JWT_ALGORITHM=ES256"}
	for line, want := range map[string]int{"keys rotate": 1, "audit verify": 3} {
		if out, code := command(t, k.dir, "", k.env, strings.Fields(line)...); code != want || !strings.Contains(out, "does not fit ES256") {
			t.Errorf("%s with a key of another algorithm: exit code %d, want %d\n%s", line, code, want, out)
		}
	}
	k.run(t, "rotate", "--now")
	start(t, k.dir, nil, k.env...)
}

// TestKeys_AdoptAnOlderSecret starts with the secret in the file that preceded the
// key file.
func TestKeys_AdoptAnOlderSecret(t *testing.T) {
	t.Parallel()
	dir, secret := t.TempDir(), "0123456789abcdefghijklmnopqrstuvwxyz"
	if err := os.WriteFile(filepath.Join(dir, "jwt_secret"), []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, nil)
	set, err := keystore.In(dir).Read()
	if err != nil || len(set.Secrets) != 1 || set.Secrets[0].Text.Reveal() != secret || len(set.Data) != 0 {
		t.Errorf("got %d secrets and %d data secrets, %v; want only the adopted one", len(set.Secrets), len(set.Data), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "jwt_secret")); err == nil {
		t.Error("the old file still contains the secret, and no rotation would remove it")
	}
}
