package test_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// A verifier is another service. It checks tokens with a key set that it caches for as
// long as the response allows, by a clock that the test controls.
type verifier struct {
	from *process

	mu      sync.Mutex
	now     time.Duration
	fetched time.Duration
	keys    map[string]ed25519.PublicKey
}

// pass lets time pass. The verifier fetches the set again at the last moment.
func (v *verifier) pass(t *testing.T, d time.Duration) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.now += d; v.keys == nil || v.now-v.fetched >= token.JWKSMaxAge; v.fetched = v.now {
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

// accepts reports whether the token is valid under the verifier's key set.
func (v *verifier) accepts(t testing.TB, raw string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	end := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[end+1:])
	key := v.keys[kid(t, raw)]
	return err == nil && key != nil && ed25519.Verify(key, []byte(raw[:end]), signature)
}

// A load is a set of clients that never stop: each uses its access token everywhere, and
// then gets a new one.
type load struct {
	t       *testing.T
	servers []*process
	check   *verifier
	rounds  [clients]atomic.Int64
	stop    context.CancelFunc
	all     sync.WaitGroup
}

const clients = 4

// begin signs the clients in and keeps them going until end, or the end of the test.
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
		l.expectAccepted(p.Access)
		if !call(l.servers[n%len(l.servers)], "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh), &p) {
			l.t.Error("a refresh failed")
			return
		}
		l.rounds[i].Add(1)
	}
}

// expectAccepted expects every server and the verifier to accept the token.
func (l *load) expectAccepted(access string) {
	l.t.Helper()
	for n, s := range l.servers {
		if !call(s, "GET", "/api/users/me", access, "", nil) {
			l.t.Errorf("server %d rejects a token of the key %s", n, kid(l.t, access))
		}
	}
	if !l.check.accepts(l.t, access) {
		l.t.Errorf("the verifier rejects a token of the key %s", kid(l.t, access))
	}
}

// more waits until every client has done everything twice more, so that none holds an
// earlier token.
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

// until waits for a change in another process.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.After(answerTime); !done(); {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("after %v this has not happened: %s", answerTime, what)
		}
	}
}

// reread signals the given servers to read the keys again, and waits until all servers of
// the load sign with the key of that ID.
func (l *load) reread(p pair, id string, signaled ...*process) pair {
	l.t.Helper()
	for _, s := range signaled {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			l.t.Fatal(err)
		}
	}
	for n, s := range l.servers {
		until(l.t, fmt.Sprintf("server %d signs with %s", n, id), func() bool {
			if !call(s, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh), &p) {
				l.t.Fatal("a refresh failed")
			}
			return kid(l.t, p.Access) == id
		})
	}
	return p
}

// TestKeys_RotationIsInvisibleToClients rotates the signing key under load. Of two servers on
// one database, one gets a signal and one finds out on its own; a third starts in the
// middle, and another service caches the key set for an hour.
func TestKeys_RotationIsInvisibleToClients(t *testing.T) {
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

	// Two concurrent rotations take one step.
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { k.run(t, "rotate", "--older-than", "0s") })
	}
	both.Wait()
	states := k.states(t, "signing key")
	second := states["next"]
	if states["signs"] != first || second == "" || len(states) != 2 {
		t.Fatalf("after the first step, twice, got %v", states)
	}
	until(t, "the next key is published", func() bool {
		_, body := get(t, b.client, b.https+"/.well-known/jwks.json")
		return strings.Contains(body, second)
	})
	if !call(a, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh), &p) || kid(t, p.Access) != first {
		t.Errorf("%s signs before it is due", kid(t, p.Access))
	}
	between := p.Access
	l.more()
	k.age(t, 59*time.Minute)
	l.check.pass(t, 59*time.Minute)
	if out := k.run(t, "rotate"); !strings.Contains(out, "nothing to do before") || len(k.states(t, "signing key")) != 2 ||
		k.states(t, "signing key")["next"] != second {
		t.Errorf("the second step was not delayed: %s", out)
	}
	k.age(t, 2*time.Minute)
	l.check.pass(t, 2*time.Minute)

	k.run(t, "rotate")
	if states := k.states(t, "signing key"); states["signs"] != second || states["previous"] != first || len(states) != 2 {
		t.Fatalf("after the second step, got %v", states)
	}
	p = l.reread(p, second, a)
	c := start(t, t.TempDir(), nil, k.env...) // between two steps
	for _, raw := range []string{before, between, p.Access} {
		l.expectAccepted(raw)
		if !call(c, "GET", "/api/users/me", raw, "", nil) {
			t.Errorf("a newly started server rejects a token of %s", kid(t, raw))
		}
	}
	l.more()
	k.age(t, 15*time.Minute) // the last token of the old key expires now, and has its leeway
	l.check.pass(t, 15*time.Minute)
	if out := k.run(t, "rotate"); !strings.Contains(out, "nothing to do before") {
		t.Errorf("the old key was removed before its tokens expired: %s", out)
	}
	l.expectAccepted(between)
	k.age(t, 2*time.Minute)
	l.check.pass(t, 2*time.Minute)

	k.run(t, "rotate")
	if states := k.states(t, "signing key"); states["signs"] != second || len(states) != 1 {
		t.Fatalf("after the last step, got %v", states)
	}
	until(t, "the old key is refused", func() bool {
		return !call(a, "GET", "/api/users/me", before, "", nil) && !call(b, "GET", "/api/users/me", before, "", nil)
	})
	l.more()
	l.end()
	if out := k.run(t, "rotate"); !strings.Contains(out, "signs for less than 24h") {
		t.Errorf("another rotation was not delayed: %s", out)
	}

	// A broken file is reported once, and changes nothing.
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
		l.expectAccepted(p.Access)
	}
	if n := strings.Count(a.stdout.String(), broken); n != 1 {
		t.Errorf("the log reports the broken file %d times, want once", n)
	}
	out, _ := command(t, k.dir, "", k.env, "audit", "list", "--event", "keys_rotated", "--json")
	for _, want := range []string{
		"the signing key " + first + " signs from", "the signing key " + second + " is published",
		"the signing key " + second + " signs from", "the signing key " + first + " is removed",
	} {
		if strings.Count(out, want) != 1 {
			t.Errorf("the audit trail has %q %d times, want once\n%s", want, strings.Count(out, want), out)
		}
	}
}
