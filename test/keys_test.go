package test_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/keystore"
	"github.com/voiceassist/gateway/shared/token"
)

// A keyDir is the directory of a key file, and the settings of those who use it.
type keyDir struct {
	dir string
	env []string
}

// age lets time pass for the keys: every time in the file is earlier.
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
		return keystore.Set{Secrets: older(set.Secrets), Signing: older(set.Signing)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run runs `gateway keys` and returns what it printed.
func (k keyDir) run(t *testing.T, args ...string) string {
	t.Helper()
	out, code := command(t, k.dir, "", k.env, append([]string{"keys"}, args...)...)
	if code != 0 {
		t.Errorf("keys %s: %d %s", args, code, out)
	}
	return out
}

// states returns the ids of the keys of a kind by their state.
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
				t.Errorf("two keys are %s: %+v", key.State, report.Keys)
			}
			states[key.State] = key.KID
		}
	}
	return states
}

// kid returns the id of the key that signed a token.
func kid(t testing.TB, raw string) string {
	first, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	var header struct{ Kid string }
	if err != nil || json.Unmarshal(text, &header) != nil {
		t.Errorf("%q is the header of no token", first)
	}
	return header.Kid
}

// A verifier is another service: it checks tokens with a key set that it keeps
// for as long as it was told, by a clock that the test holds.
type verifier struct {
	from *process

	mu      sync.Mutex
	now     time.Duration
	fetched time.Duration
	keys    map[string]ed25519.PublicKey
}

// pass lets time pass. The set is fetched again at the last moment.
func (v *verifier) pass(t *testing.T, d time.Duration) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.now += d; v.keys == nil || v.now-v.fetched >= token.PublishFor; v.fetched = v.now {
		resp, body := get(t, v.from.client, v.from.https+"/.well-known/jwks.json")
		var set struct{ Keys []struct{ Kid, X string } }
		if err := json.Unmarshal([]byte(body), &set); err != nil || resp.Header.Get("Cache-Control") != "public, max-age=3600" {
			t.Fatalf("%s %v", body, resp.Header)
		}
		v.keys = map[string]ed25519.PublicKey{}
		for _, key := range set.Keys {
			x, err := base64.RawURLEncoding.DecodeString(key.X)
			if err != nil {
				t.Fatal(err)
			}
			v.keys[key.Kid] = x
		}
	}
}

// takes reports whether the token is good by the set that the verifier has.
func (v *verifier) takes(t testing.TB, raw string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	end := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[end+1:])
	key := v.keys[kid(t, raw)]
	return err == nil && key != nil && ed25519.Verify(key, []byte(raw[:end]), signature)
}

// A load are clients that never stop: each uses its access token everywhere, and
// then gets another.
type load struct {
	t       *testing.T
	servers []*process
	check   *verifier
	rounds  [clients]atomic.Int64
	stop    context.CancelFunc
	all     sync.WaitGroup
}

const clients = 4

// begin lets the clients sign in, and go on until end, or the end of the test.
func (l *load) begin() {
	var ctx context.Context
	ctx, l.stop = context.WithCancel(l.t.Context())
	l.t.Cleanup(l.end)
	for i := range clients {
		email := fmt.Sprintf("client%d@example.com", i)
		var p pair
		if !call(l.servers[0], "POST", "/api/auth/register", "", `{"email":"`+email+`","password":"correct horse battery staple"}`, nil) ||
			!call(l.servers[0], "POST", "/api/auth/login", "", `{"email":"`+email+`","password":"correct horse battery staple"}`, &p) {
			l.t.Fatalf("%s cannot sign in", email)
		}
		l.all.Go(func() { l.client(ctx, i, p) })
	}
}

func (l *load) client(ctx context.Context, i int, p pair) {
	for n := i; ctx.Err() == nil; n++ {
		l.everywhere(p.Access)
		if !call(l.servers[n%len(l.servers)], "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh), &p) {
			l.t.Error("a refresh token is refused")
			return
		}
		l.rounds[i].Add(1)
	}
}

// everywhere wants the token to be taken by every server and the verifier.
func (l *load) everywhere(access string) {
	l.t.Helper()
	for n, s := range l.servers {
		if !call(s, "GET", "/api/users/me", access, "", nil) {
			l.t.Errorf("server %d refuses a token of the key %s", n, kid(l.t, access))
		}
	}
	if !l.check.takes(l.t, access) {
		l.t.Errorf("the verifier refuses a token of the key %s", kid(l.t, access))
	}
}

// more waits until every client did everything twice again, so that none has a
// token of before.
func (l *load) more() {
	l.t.Helper()
	for i := range l.rounds {
		target := l.rounds[i].Load() + 2
		until(l.t, "the clients go on", func() bool { return l.rounds[i].Load() >= target || l.t.Failed() })
	}
}

func (l *load) end() {
	l.stop()
	l.all.Wait()
}

type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// until waits for something that another process does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.After(answerTime); !done(); {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		}
	}
}

// reread tells the servers to read the keys again, as far as they do not by
// themselves, and waits until all sign with the key of that id.
func (l *load) reread(p pair, id string, told ...*process) pair {
	l.t.Helper()
	for _, s := range told {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			l.t.Fatal(err)
		}
	}
	for n, s := range l.servers {
		until(l.t, fmt.Sprintf("server %d signs with %s", n, id), func() bool {
			if !call(s, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh), &p) {
				l.t.Fatal("a refresh token is refused")
			}
			return kid(l.t, p.Access) == id
		})
	}
	return p
}

// TestKeys_NobodyNoticesARotation rotates the signing key under load: two
// servers on one database, of which one is told and one finds out, a third that
// starts in the middle, and another service that keeps the key set for an hour.
func TestKeys_NobodyNoticesARotation(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir()}
	k.env = []string{"DATABASE_URL=" + database(t), "JWT_KEYS_DIR=" + k.dir, "JWT_ALGORITHM=EdDSA"}
	k.run(t, "rotate")
	first := k.states(t, "signing key")["signs"]
	a, b := start(t, t.TempDir(), nil, k.env...), start(t, t.TempDir(), nil, k.env...)
	l := &load{t: t, servers: []*process{a, b}, check: &verifier{from: b}}
	l.check.pass(t, 0)
	var p pair
	call(a, "POST", "/api/auth/register", "", `{"email":"ada@example.com","password":"correct horse battery staple"}`, nil)
	call(a, "POST", "/api/auth/login", "", `{"email":"ada@example.com","password":"correct horse battery staple"}`, &p)
	before := p.Access
	l.begin()

	// Two at once take one step.
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { k.run(t, "rotate", "--older-than", "0s") })
	}
	both.Wait()
	states := k.states(t, "signing key")
	second := states["next"]
	if states["signs"] != first || second == "" || len(states) != 2 {
		t.Fatalf("the first step, twice, left %v", states)
	}
	until(t, "the next key is published", func() bool {
		_, body := get(t, b.client, b.https+"/.well-known/jwks.json")
		return strings.Contains(body, second)
	})
	if !call(a, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh), &p) || kid(t, p.Access) != first {
		t.Errorf("%s signs before its time", kid(t, p.Access))
	}
	between := p.Access
	l.more()
	k.age(t, 59*time.Minute)
	l.check.pass(t, 59*time.Minute)
	if out := k.run(t, "rotate"); !strings.Contains(out, "nothing to do before") || len(k.states(t, "signing key")) != 2 ||
		k.states(t, "signing key")["next"] != second {
		t.Errorf("the second step came too early: %s", out)
	}
	k.age(t, 2*time.Minute)
	l.check.pass(t, 2*time.Minute)

	k.run(t, "rotate")
	if states := k.states(t, "signing key"); states["signs"] != second || states["previous"] != first || len(states) != 2 {
		t.Fatalf("the second step left %v", states)
	}
	p = l.reread(p, second, a)
	c := start(t, t.TempDir(), nil, k.env...) // between two steps
	for _, raw := range []string{before, between, p.Access} {
		l.everywhere(raw)
		if !call(c, "GET", "/api/users/me", raw, "", nil) {
			t.Errorf("a server that started now refuses a token of %s", kid(t, raw))
		}
	}
	l.more()
	k.age(t, 15*time.Minute) // the last token of the old key lives until now, and has its leeway
	l.check.pass(t, 15*time.Minute)
	if out := k.run(t, "rotate"); !strings.Contains(out, "nothing to do before") {
		t.Errorf("the old key is removed before its tokens end: %s", out)
	}
	l.everywhere(between)
	k.age(t, 2*time.Minute)
	l.check.pass(t, 2*time.Minute)

	k.run(t, "rotate")
	if states := k.states(t, "signing key"); states["signs"] != second || len(states) != 1 {
		t.Fatalf("the last step left %v", states)
	}
	until(t, "the old key is refused", func() bool {
		return !call(a, "GET", "/api/users/me", before, "", nil) && !call(b, "GET", "/api/users/me", before, "", nil)
	})
	l.more()
	l.end()
	if out := k.run(t, "rotate"); !strings.Contains(out, "signs for less than 24h") {
		t.Errorf("another rotation began at once: %s", out)
	}

	// A broken file is told once, and changes nothing.
	good, err := os.ReadFile(keystore.In(k.dir).Path())
	if err != nil {
		t.Fatal(err)
	}
	const broken, whole = "the keys cannot be read again", `"the keys can be read again"`
	for _, text := range []string{string(good[:len(good)/2]), string(good)} {
		draft := filepath.Join(k.dir, "draft")
		if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(draft, keystore.In(k.dir).Path()); err != nil {
			t.Fatal(err)
		}
		want := broken
		if text == string(good) {
			want = whole
		}
		until(t, want, func() bool {
			_ = a.cmd.Process.Signal(syscall.SIGHUP)
			return strings.Contains(a.stdout.String(), want)
		})
		l.everywhere(p.Access)
	}
	if n := strings.Count(a.stdout.String(), broken); n != 1 {
		t.Errorf("a broken file was told %d times, want once", n)
	}
	out, _ := command(t, k.dir, "", k.env, "audit", "list", "--event", "keys_rotated", "--json")
	for _, want := range []string{
		"the signing key " + first + " signs from", "the signing key " + second + " is published",
		"the signing key " + second + " signs from", "the signing key " + first + " is removed",
	} {
		if strings.Count(out, want) != 1 {
			t.Errorf("the audit trail does not say once: %s\n%s", want, out)
		}
	}
}

// TestKeys_ARotationOfTheSecret does the same for HS256, to where the old secret
// is gone: who is signed in stays so, and what it sealed opens.
func TestKeys_ARotationOfTheSecret(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir()}
	k.env = listen(t, newNextcloud(t))
	p := start(t, k.dir, nil, k.env...)
	g, saved := p.target(), map[string]string{}
	login := step{method: "POST", path: "/api/auth/login", body: `{"email":"ada@example.com","password":"correct horse battery staple"}`,
		status: 200, save: map[string]string{"access": "access_token", "refresh": "refresh_token"}}
	refresh := step{method: "POST", path: "/api/auth/refresh", body: `{"refresh_token":"${refresh}"}`, status: 200, save: login.save}
	const bearer = "Authorization: Bearer ${access}"
	play(t, g, []step{
		{method: "POST", path: "/api/auth/register", body: login.body, status: 200}, login,
		{method: "GET", path: "/api/users/me/nextcloud", header: bearer, status: 200, until: `"active"`},
		{method: "PUT", path: "/api/files/a", header: bearer, body: "in the clear", status: 201},
	}, saved)
	old, first := saved["access"], kid(t, saved["access"])

	out := k.run(t, "rotate", "--older-than", "0s")
	states := k.states(t, "secret")
	second := states["next"]
	if states["signs"] != first || second == "" || !strings.Contains(out, second) {
		t.Fatalf("%s: %v", out, states)
	}
	play(t, g, []step{refresh}, saved)
	if kid(t, saved["access"]) != first {
		t.Error("a secret signs before every process knows it")
	}
	k.age(t, 31*time.Second)
	until(t, "the new secret signs", func() bool {
		play(t, g, []step{refresh}, saved)
		return kid(t, saved["access"]) == second
	})
	stale := saved["access"]
	saved["access"] = old
	play(t, g, []step{{method: "GET", path: "/api/files/a", header: bearer, status: 200}}, saved)
	saved["access"] = stale

	k.age(t, 7*24*time.Hour)
	if out := k.run(t, "rotate"); !strings.Contains(out, "nothing to do before") {
		t.Errorf("the old secret is removed before its refresh tokens end: %s", out)
	}
	k.age(t, 2*time.Minute)
	if out := k.run(t, "rotate"); !strings.Contains(out, first+" is removed") || !strings.Contains(out, "sealed anew with the current secret: 2") {
		t.Errorf("the last step says %s", out)
	}
	until(t, "the old secret is refused", func() bool { return !call(p, "GET", "/api/users/me", old, "", nil) })
	p.stop(t)
	g = start(t, k.dir, nil, k.env...).target() // with the new secret alone
	play(t, g, []step{
		{method: "GET", path: "/api/files/a", header: bearer, status: 200}, refresh,
		{method: "GET", path: "/api/users/me", header: bearer, status: 200},
	}, saved)
	if out, code := command(t, k.dir, "", k.env, "audit", "verify"); code != 0 {
		t.Errorf("the audit trail: %s", out)
	}
}

// TestKeys_AKilledRotationLeavesKeys kills rotations after ever more of their
// time, and wants every one to leave keys that are whole.
func TestKeys_AKilledRotationLeavesKeys(t *testing.T) {
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
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if states := k.states(t, "signing key"); states["signs"] == "" || len(states) > 2 {
			t.Errorf("a kill left %v", states)
		}
	}
	for range 3 { // and every one can be finished
		k.age(t, 2*time.Hour)
		if out := k.run(t, "rotate", "--older-than", "0s"); strings.Contains(out, "nothing") {
			t.Errorf("a step that is due is not taken: %s", out)
		}
	}
}

// TestKeys_FromSettingsAreTheOperators wants exact words instead of changes.
func TestKeys_FromSettingsAreTheOperators(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(want int, env []string, args ...string) string {
		t.Helper()
		out, code := command(t, dir, "", env, append([]string{"keys"}, args...)...)
		if code != want {
			t.Errorf("keys %s: %d %s", args, code, out)
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
			t.Errorf("%s is %v, %v", name, info.Mode(), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "old.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if out := run(1, nil, "generate", "--algorithm", "ES256", "--out", "old.pem"); !strings.Contains(out, "old.pem exists") {
		t.Errorf("a key may be lost: %s", out)
	}
	if now, err := os.ReadFile(filepath.Join(dir, "old.pem")); err != nil || string(now) != string(text) {
		t.Errorf("the key was replaced, %v", err)
	}
	if out := run(1, nil, "generate", "--algorithm", "none"); !strings.Contains(out, `"none"`) {
		t.Error(out)
	}
	if out := run(0, nil, "generate", "--algorithm", "HS256"); len(strings.TrimSpace(out)) != 64 {
		t.Errorf("the secret is %d bytes", len(out))
	}

	base := []string{"JWT_ALGORITHM=ES256"}
	secret := "JWT_SECRET=0123456789abcdefghijklmnopqrstuv"
	for _, test := range []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"begin", []string{"JWT_PRIVATE_KEY_FILE=old.pem"}, nil, []string{ids[0], "keys generate --algorithm ES256 --out FILE", "set JWT_NEXT_PUBLIC_KEY_FILE to FILE.pub"}},
		{"published", []string{"JWT_PRIVATE_KEY_FILE=old.pem", "JWT_NEXT_PUBLIC_KEY_FILE=new.pem.pub"}, nil,
			[]string{"set JWT_PRIVATE_KEY_FILE to the private half of " + ids[1], "JWT_PREVIOUS_PUBLIC_KEY_FILE to the public half of " + ids[0], "not before"}},
		{"signing", []string{"JWT_PRIVATE_KEY_FILE=new.pem", "JWT_PREVIOUS_PUBLIC_KEY_FILE=old.pem.pub"}, nil,
			[]string{"16m10s after " + ids[1], "take out JWT_PREVIOUS_PUBLIC_KEY"}},
		{"a secret", []string{secret}, []string{"--secret"}, []string{"Set JWT_PREVIOUS_SECRETS to NEW", "168h1m0s", "keys reseal"}},
		{"two secrets", []string{secret, "JWT_PREVIOUS_SECRETS=vutsrqponmlkjihgfedcba9876543210"}, []string{"--secret"}, []string{"exchange the values", "keys reseal"}},
	} {
		env := append(slices.Clone(base), test.env...)
		out := run(1, env, append([]string{"rotate"}, test.args...)...)
		for _, want := range append(test.want, "nothing was changed") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in\n%s", test.name, want, out)
			}
		}
	}
	out := run(0, append(base, "JWT_PRIVATE_KEY_FILE=old.pem", "JWT_NEXT_PUBLIC_KEY_FILE=new.pem.pub", secret), "status")
	for _, want := range []string{"algorithm: ES256", ids[0], ids[1], "may sign from", "JWT_SECRET"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if _, err := os.Stat(keystore.In(dir).Path()); err == nil {
		t.Error("a command that changes nothing made keys")
	}
}

// TestKeys_InNamedFilesAreReadAgain replaces the file that a setting names.
func TestKeys_InNamedFilesAreReadAgain(t *testing.T) {
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

// TestKeys_ThatLeakedAreRefusedAtOnce replaces a key by one of another algorithm,
// too.
func TestKeys_ThatLeakedAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	k := keyDir{dir: t.TempDir(), env: []string{"JWT_ALGORITHM=EdDSA"}}
	if out, code := command(t, k.dir, "", k.env, "audit", "verify"); code != 1 || !strings.Contains(out, "JWT_PRIVATE_KEY_FILE") {
		t.Errorf("without a key: %d %s", code, out)
	}
	k.run(t, "rotate")
	p := start(t, k.dir, nil, k.env...)
	const who = `{"email":"ada@example.com","password":"correct horse battery staple"}`
	var got pair
	if !call(p, "POST", "/api/auth/register", "", who, nil) || !call(p, "POST", "/api/auth/login", "", who, &got) {
		t.Fatal("nobody can sign in")
	}
	k.run(t, "rotate", "--now")
	until(t, "the leaked key is refused", func() bool { return !call(p, "GET", "/api/users/me", got.Access, "", nil) })
	if !call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, got.Refresh), &got) ||
		!call(p, "GET", "/api/users/me", got.Access, "", nil) {
		t.Error("a refresh does not lead to the new key")
	}
	k.run(t, "rotate", "--secret", "--now")
	until(t, "refresh tokens of the leaked secret are refused", func() bool {
		return !call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, got.Refresh), nil)
	})
	if !call(p, "POST", "/api/auth/login", "", who, nil) {
		t.Error("nobody can sign in")
	}
	p.stop(t)
	if n := strings.Count(p.stdout.String(), `"level":"ERROR"`); n != 0 {
		t.Errorf("%d errors were logged", n)
	}

	k.env = []string{"JWT_ALGORITHM=ES256"}
	for _, args := range [][]string{{"keys", "rotate"}, {"audit", "verify"}} {
		if out, code := command(t, k.dir, "", k.env, args...); code != 1 || !strings.Contains(out, "does not fit ES256") {
			t.Errorf("%s with a key of another algorithm: %d %s", args, code, out)
		}
	}
	k.run(t, "rotate", "--now")
	start(t, k.dir, nil, k.env...)
}

// TestKeys_TakeOverTheSecretOfBefore starts where the secret is in the file that
// there was before the key file.
func TestKeys_TakeOverTheSecretOfBefore(t *testing.T) {
	t.Parallel()
	dir, secret := t.TempDir(), "0123456789abcdefghijklmnopqrstuvwxyz"
	if err := os.WriteFile(filepath.Join(dir, "jwt_secret"), []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, nil)
	set, err := keystore.In(dir).Read()
	if err != nil || len(set.Secrets) != 1 || set.Secrets[0].Text.Reveal() != secret {
		t.Errorf("%d secrets, %v", len(set.Secrets), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "jwt_secret")); err == nil {
		t.Error("the secret stays in the old file, which no rotation removes")
	}
}
