package test_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

const ofAda = `{"email":"ada@example.com","password":"correct horse battery staple"}`

// The steps of a user who signs in and stores a file in Nextcloud.
var (
	adaSignsIn = step{name: "log in", method: "POST", path: "/api/auth/login", body: ofAda, status: 200,
		save: map[string]string{"access": "access_token", "refresh": "refresh_token"}}
	adaRefreshes = step{name: "refresh", method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"${refresh}"}`,
		status: 200, save: adaSignsIn.save}
	adaReads = step{name: "read a file", method: "GET", path: "/api/files/a", header: "Authorization: Bearer ${access}", status: 200}
	adaSetup = []step{
		{name: "register", method: "POST", path: "/api/auth/register", body: ofAda, status: 200}, adaSignsIn,
		{name: "wait for the Nextcloud account", method: "GET", path: "/api/users/me/nextcloud", header: "Authorization: Bearer ${access}", status: 200, until: `"active"`},
		{name: "upload", method: "PUT", path: "/api/files/a", header: "Authorization: Bearer ${access}", body: "in the clear", status: 201},
	}
)

// dataID returns the identifier in a refresh token of the secret that its key derives
// from.
func dataID(t *testing.T, refresh string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(refresh)
	if err != nil || len(raw) < 4 {
		t.Fatalf("got %q, want a refresh token", refresh)
	}
	return hex.EncodeToString(raw[:4])
}

// TestKeys_RotateTheSecret rotates the secret until the old one is gone, and expects
// it to affect access tokens only.
func TestKeys_RotateTheSecret(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir()}
	k.env = listen(t, newNextcloud(t))
	p := start(t, k.dir, nil, k.env...)
	g, saved := p.target(), map[string]string{}
	play(t, g, adaSetup, saved)
	old, first, data := saved["access"], kid(t, saved["access"]), dataID(t, saved["refresh"])
	if states := k.states(t, "data secret"); len(states) != 1 || states["signs"] != data {
		t.Fatalf("the data secret is %v, want %s", states, data)
	}

	out := k.run(t, "rotate", "--older-than", "0s")
	second := k.states(t, "secret")["next"]
	if second == "" || !strings.Contains(out, second) {
		t.Fatalf("%s: %v", out, k.states(t, "secret"))
	}
	play(t, g, []step{adaRefreshes}, saved)
	if kid(t, saved["access"]) != first {
		t.Error("the new secret signs before every process knows it")
	}
	k.age(t, 31*time.Second)
	until(t, "the new secret signs", func() bool {
		play(t, g, []step{adaRefreshes}, saved)
		return kid(t, saved["access"]) == second
	})
	if !call(p, "GET", "/api/users/me", old, "", nil) {
		t.Error("a token of the previous secret was rejected")
	}
	k.age(t, 15*time.Minute)
	if out := k.run(t, "rotate"); !strings.Contains(out, "nothing to do before") {
		t.Errorf("the old secret was removed before its tokens expired: %s", out)
	}
	k.age(t, 2*time.Minute)
	if out := k.run(t, "rotate"); !strings.Contains(out, first+" is removed") || strings.Contains(out, "sealed") {
		t.Errorf("the last step prints %s, want that %s is removed", out, first)
	}
	until(t, "the old secret is rejected", func() bool { return !call(p, "GET", "/api/users/me", old, "", nil) })
	play(t, g, []step{adaRefreshes, adaReads}, saved)
	if id := dataID(t, saved["refresh"]); id != data || len(k.states(t, "data secret")) != 1 {
		t.Errorf("got the data secret %s, %v; want %s", id, k.states(t, "data secret"), data)
	}
	verifiesAudit(t, k.dir, k.env)
}

// TestKeys_RotateTheDataSecret rotates the data secret until the old one is gone.
// Users stay signed in, data sealed earlier can be opened, and access tokens keep their
// key.
func TestKeys_RotateTheDataSecret(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir()}
	k.env = listen(t, newNextcloud(t))
	p := start(t, k.dir, nil, k.env...)
	g, saved := p.target(), map[string]string{}
	play(t, g, adaSetup, saved)
	access, first := kid(t, saved["access"]), dataID(t, saved["refresh"])

	out := k.run(t, "rotate", "--data", "--older-than", "0s")
	second := k.states(t, "data secret")["next"]
	if second == "" || !strings.Contains(out, second) || !strings.Contains(out, "keys rotate --data") {
		t.Fatalf("%s: %v", out, k.states(t, "data secret"))
	}
	k.age(t, 31*time.Second)
	until(t, "the new data secret signs", func() bool {
		play(t, g, []step{adaRefreshes}, saved)
		return dataID(t, saved["refresh"]) == second
	})
	k.age(t, 7*24*time.Hour)
	if out := k.run(t, "rotate", "--data"); !strings.Contains(out, "nothing to do before") {
		t.Errorf("the old secret was removed before its refresh tokens expired: %s", out)
	}
	k.age(t, 2*time.Minute)
	if out := k.run(t, "rotate", "--data"); !strings.Contains(out, first+" is removed") || !strings.Contains(out, "sealed anew with the current secret: ") {
		t.Errorf("the last step prints %s, want that %s is removed", out, first)
	}
	p.stop(t)
	g = start(t, k.dir, nil, k.env...).target() // with only the new secret
	play(t, g, []step{adaReads, adaRefreshes, adaReads}, saved)
	if kid(t, saved["access"]) != access || len(k.states(t, "secret")) != 1 {
		t.Errorf("access tokens have the key %s, want %s", kid(t, saved["access"]), access)
	}
	verifiesAudit(t, k.dir, k.env)
}

// TestKeys_RotationSeparatesTheSecrets begins with a key file as earlier versions
// wrote it.
func TestKeys_RotationSeparatesTheSecrets(t *testing.T) {
	t.Parallel()
	for _, leaked := range []bool{false, true} {
		k := keyDir{dir: t.TempDir()}
		k.env = listen(t, newNextcloud(t))
		old := keyring.Generate()
		begun := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Second)
		err := keystore.In(k.dir).Update(t.Context(), func(set keystore.Set) (keystore.Set, error) {
			return keystore.Set{Secrets: keystore.Keys{{Text: old, Published: begun, Signs: begun}}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, k.dir, nil, k.env...)
		g, saved := p.target(), map[string]string{}
		play(t, g, adaSetup, saved)
		before := dataID(t, saved["refresh"])
		const warning = "can forge refresh tokens"
		if n := strings.Count(p.stdout.String(), warning); n != 1 || !strings.Contains(k.run(t, "status"), warning) {
			t.Errorf("the log warns %d times about the shared secret, want once; status prints %s", n, k.run(t, "status"))
		}

		if leaked {
			if out, code := command(t, k.dir, "", k.env, "keys", "rotate", "--data", "--now"); code != 1 || !strings.Contains(out, "replaces both") {
				t.Errorf("keys rotate --data --now: exit code %d and %s, want 1 because --now alone replaces both", code, out)
			}
			if out := k.run(t, "rotate", "--now"); !strings.Contains(out, "sealed anew with the current secret: ") {
				t.Errorf("keys rotate --now prints %s, want that the data is sealed anew", out)
			}
			until(t, "refresh tokens of the leaked secret are rejected", func() bool {
				return !call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, saved["refresh"]), nil)
			})
			play(t, g, []step{adaSignsIn, adaReads}, saved)
		} else {
			k.run(t, "rotate")
			k.age(t, 20*time.Minute)
			k.run(t, "rotate")
			until(t, "the new secret signs", func() bool {
				play(t, g, []step{adaRefreshes, adaReads}, saved)
				return kid(t, saved["access"]) == k.states(t, "secret")["signs"]
			})
		}
		if id := dataID(t, saved["refresh"]); (id == before) == leaked {
			t.Errorf("leaked %t: the data secret is %s, and was %s before", leaked, id, before)
		}
		set, err := keystore.In(k.dir).Read()
		if err != nil || len(set.Secrets) != 1 || len(set.Data) != 1 || set.Secrets[0].Text == set.Data[0].Text || set.Secrets[0].Text == old {
			t.Errorf("leaked %t: got %d secrets and %d data secrets, %v; want one new of each", leaked, len(set.Secrets), len(set.Data), err)
		}
		if status := k.run(t, "status"); strings.Contains(status, warning) {
			t.Errorf("with two secrets, status still warns: %s", status)
		}
		verifiesAudit(t, k.dir, k.env)
	}
}

// TestKeys_AddADataSecret adds a data secret to a gateway with only JWT_SECRET, until
// JWT_SECRET is used for access tokens only.
func TestKeys_AddADataSecret(t *testing.T) {
	t.Parallel()
	for engine, open := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			jwt, data := keyring.Generate().Reveal(), keyring.Generate().Reveal()
			base, _ := open(t, dir)
			base = append(append(base, listen(t, newNextcloud(t))...), "JWT_SECRET="+jwt)
			serving := func(more ...string) *process { return start(t, dir, nil, append(slices.Clone(base), more...)...) }
			saved := map[string]string{}
			p := serving()
			play(t, p.target(), adaSetup, saved)
			first := saved["refresh"]
			if !strings.Contains(p.stdout.String(), "can forge refresh tokens") {
				t.Error("the log does not warn about the shared secret")
			}
			p.stop(t)

			for line, want := range map[string]int{"serve": 1, "keys reseal": 1, "audit verify": 3} {
				out, code := command(t, dir, "", append(slices.Clone(base), "DATA_SECRET="+data, "HTTP_ADDR=127.0.0.1:0", "HTTPS_ADDR=127.0.0.1:0"), strings.Fields(line)...)
				if code != want || !strings.Contains(out, "add its value to DATA_PREVIOUS_SECRETS") || strings.Contains(out, jwt) {
					t.Errorf("%s with a data secret that opens nothing: exit code %d, want %d\n%s", line, code, want, out)
				}
			}

			// Each process accepts the new secret before any uses it. Sealed data is sealed
			// again in the background.
			p = serving("DATA_SECRET="+jwt, "DATA_PREVIOUS_SECRETS="+data)
			play(t, p.target(), []step{adaRefreshes, adaReads}, saved)
			p.stop(t)
			p = serving("DATA_SECRET="+data, "DATA_PREVIOUS_SECRETS="+jwt)
			play(t, p.target(), []step{adaRefreshes, adaReads}, saved)
			until(t, "sealed anew", func() bool {
				return strings.Contains(p.stdout.String(), `"msg":"sealed anew with the current secret","sealed":`)
			})
			until(t, "the head of the audit trail has the new key", func() bool {
				out, _ := command(t, dir, "", append(slices.Clone(base), "DATA_SECRET="+data), "audit", "verify")
				return !strings.Contains(out, "DATA_PREVIOUS_SECRETS")
			})
			p.stop(t)

			both := "DATA_SECRET=" + data
			p = serving(both)
			play(t, p.target(), []step{adaReads, adaRefreshes, adaReads}, saved)
			if strings.Contains(p.stdout.String(), "can forge refresh tokens") {
				t.Error("the log warns about a shared secret, and there are two")
			}
			verifiesAudit(t, dir, append(slices.Clone(base), both))
			for name, raw := range map[string]string{"the old": first, "a forged": forgedRefresh(t, jwt, saved["refresh"])} {
				if call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, raw), nil) {
					t.Errorf("%s refresh token was accepted", name)
				}
			}
			play(t, p.target(), []step{adaRefreshes}, saved) // the attempts did not end the login
		})
	}
}

// TestKeys_SigningKeysNeedNoJWTSecret starts with only a data secret.
func TestKeys_SigningKeysNeedNoJWTSecret(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir(), env: []string{"JWT_ALGORITHM=EdDSA", "DATA_SECRET=" + keyring.Generate().Reveal()}}
	k.run(t, "rotate")
	p := start(t, k.dir, nil, k.env...)
	play(t, p.target(), []step{adaSetup[0], adaSignsIn, adaRefreshes}, map[string]string{})
	set, err := keystore.In(k.dir).Read()
	if err != nil || len(set.Secrets)+len(set.Data) != 0 {
		t.Errorf("the gateway generated %d secrets and %d data secrets, %v; want none", len(set.Secrets), len(set.Data), err)
	}
}

// TestKeys_GatewayGeneratesTwoSecrets starts twice without settings.
func TestKeys_GatewayGeneratesTwoSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir, nil).stop(t)
	before, err1 := os.ReadFile(keystore.In(dir).Path())
	p := start(t, dir, nil)
	after, err2 := os.ReadFile(keystore.In(dir).Path())
	set, err3 := keystore.In(dir).Read()
	if err := errors.Join(err1, err2, err3); err != nil || string(before) != string(after) {
		t.Fatalf("the second start changed the keys, %v", err)
	}
	if len(set.Secrets) != 1 || len(set.Data) != 1 || set.Secrets[0].Text == set.Data[0].Text {
		t.Errorf("got %d secrets and %d data secrets, want one of each, not the same", len(set.Secrets), len(set.Data))
	}
	if strings.Contains(p.stdout.String(), "can forge refresh tokens") {
		t.Error("the log warns about a shared secret, and there are two")
	}
}

// forgedRefresh creates a refresh token for another user's login, signed with the given
// secret.
func forgedRefresh(t *testing.T, key, of string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(of)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(secret.String(key))
	if err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("%x-%x-%x-%x-%x", raw[4:8], raw[8:10], raw[10:12], raw[12:14], raw[14:20])
	login, err := signin.ParseID(id)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	counter := int64(binary.BigEndian.Uint64(raw[20:28]))
	forged := signin.NewCodec(ring.Derive(signin.Purpose)).Encode(login, counter).Reveal()
	if forged[8:36] != of[8:36] {
		t.Fatalf("the forged token %s is not for the login of %s", forged, of)
	}
	return forged
}

func verifiesAudit(t *testing.T, dir string, env []string) {
	t.Helper()
	if out, code := command(t, dir, "", env, "audit", "verify"); code != 0 {
		t.Errorf("audit verify: %s", out)
	}
}
