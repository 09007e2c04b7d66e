package test_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/mail/mailtest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestFleet_LimitsAreOneBudget sends concurrent requests through the balancer. The gateways
// together allow what one alone would.
func TestFleet_LimitsAreOneBudget(t *testing.T) {
	t.Parallel()
	f := newFleet(t, usualLimits()...)
	send := func(from, method, path, body string) int {
		return sendFrom(t, f.client.Transport, f.https, "", method, path, body, "X-Forwarded-For: "+from).StatusCode
	}
	// If Redis does not answer in time, as on a busy machine, each gateway counts for
	// itself, so there is more than one attempt.
	const requests, attempts = 120, 3
	for name, test := range map[string]struct {
		passes, budget int
		refill         time.Duration // after which one more request is allowed
		send           func(attempt, n int) int
	}{
		"logins from one address": {http.StatusUnauthorized, 5, 12 * time.Second, func(attempt, n int) int {
			return send(fmt.Sprintf("198.51.100.%d", attempt), "POST", loginAddress, credentials(fmt.Sprintf("p%d-%d@example.org", attempt, n)))
		}},
		"logins to one account": {http.StatusUnauthorized, 5, 12 * time.Second, func(attempt, n int) int {
			return send(fmt.Sprintf("203.%d.%d.1", attempt, n), "POST", loginAddress, credentials(fmt.Sprintf("ada%d@example.org", attempt)))
		}},
		"other requests from one address": {http.StatusUnauthorized, 100, 600 * time.Millisecond, func(attempt, _ int) int {
			return send(fmt.Sprintf("192.0.2.%d", attempt), "GET", "/api/users/me", "")
		}},
	} {
		var got map[int]int
		ok := false
		for attempt := 0; attempt < attempts && !ok; attempt++ {
			var mu sync.Mutex
			var wg sync.WaitGroup
			began := time.Now()
			got = map[int]int{}
			for n := range requests {
				wg.Go(func() {
					status := test.send(attempt, n)
					mu.Lock()
					defer mu.Unlock()
					got[status]++
				})
			}
			wg.Wait()
			most := test.budget + int(time.Since(began)/test.refill)
			passed := got[test.passes]
			ok = passed >= test.budget && passed <= most && passed+got[http.StatusTooManyRequests] == requests
		}
		if !ok {
			t.Errorf("%s: got %v, want %d for %d of %d, and 429", name, got, test.passes, test.budget, requests)
		}
	}
	f.expectNoErrors()
}

const staple = "correct horse battery staple"

// member registers somebody and logs in, both through the balancer.
func (f *fleet) member(email string) (p pair) {
	f.t.Helper()
	body := fmt.Sprintf(`{"email":%q,"password":%q}`, email, staple)
	if !call(f.process, "POST", "/api/auth/register", "", body, nil) || !call(f.process, "POST", "/api/auth/login", "", body, &p) {
		f.t.Fatalf("%s cannot sign in", email)
	}
	return p
}

// TestFleet_RevocationIsImmediate ends logins at one gateway, and sends their tokens to all
// of them at once.
func TestFleet_RevocationIsImmediate(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	admin(t, t.TempDir(), f.env)
	var root pair
	if !call(f.gateways[0], "POST", "/api/auth/login", "", fmt.Sprintf(`{"email":"root@example.com","password":%q}`, staple), &root) {
		t.Fatal("the administrator cannot sign in")
	}
	for n, end := range []struct {
		what string
		end  func(at *process, p pair) bool
	}{
		{"logout", func(at *process, p pair) bool {
			return call(at, "POST", "/api/auth/logout", p.Access, "", nil)
		}},
		{"logout everywhere", func(at *process, p pair) bool {
			return call(at, "POST", "/api/auth/logout?all=true", p.Access, "", nil)
		}},
		{"disabling", func(at *process, p pair) bool {
			var me struct{ ID string }
			return call(at, "GET", "/api/users/me", p.Access, "", &me) &&
				call(at, "PATCH", "/api/users/"+me.ID, root.Access, `{"disabled":true}`, nil)
		}},
		{"deletion", func(at *process, p pair) bool {
			return call(at, "DELETE", "/api/users/me", p.Access, fmt.Sprintf(`{"password":%q}`, staple), nil)
		}},
	} {
		p := f.member(fmt.Sprintf("leaver%d@example.org", n))
		f.expectEverywhere("before "+end.what, p.Access, true)
		if !end.end(f.gateways[n%fleetSize], p) {
			t.Errorf("%s failed", end.what)
		}
		f.expectEverywhere("after "+end.what, p.Access, false)
		for _, g := range f.gateways {
			if call(g, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, p.Refresh), nil) {
				t.Errorf("after %s, a gateway accepts the refresh token", end.what)
			}
		}
	}
	f.expectNoErrors()
}

// TestFleet_RefreshThroughAnyGateway sends one refresh token to all gateways at once, as two
// tabs do, and again after its successor was used. Every answer works everywhere, until
// the token is too old.
func TestFleet_RefreshThroughAnyGateway(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	p := f.member("ada@example.org")
	refresh := func(at *process, token string) (next pair, ok bool) {
		ok = call(at, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, token), &next)
		return next, ok
	}
	first := p.Refresh
	for round := range 5 {
		answers := make([]pair, fleetSize)
		var wg sync.WaitGroup
		for n, g := range f.gateways {
			wg.Go(func() {
				var ok bool
				if answers[n], ok = refresh(g, p.Refresh); !ok {
					t.Errorf("round %d: gateway %d refused the token", round, n)
				}
			})
		}
		wg.Wait()
		for n, a := range answers {
			if a.Refresh != answers[0].Refresh {
				t.Errorf("round %d: gateway %d began a second branch", round, n)
			}
			f.expectEverywhere(fmt.Sprintf("round %d", round), a.Access, true)
		}
		p = answers[0]
	}
	if again, ok := refresh(f.gateways[1], first); !ok || again.Refresh != p.Refresh {
		t.Error("a repeated refresh within the grace period did not get the present token")
	}
	db := storetest.OpenPostgres(t, strings.TrimPrefix(f.env[0], "DATABASE_URL="))
	defer db.Close()
	// This stands for the time after which the first token is no longer repeatable.
	if _, err := db.Handle().ExecContext(t.Context(), `UPDATE logins SET uses = '', rotated_at = rotated_at - INTERVAL '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if _, ok := refresh(f.gateways[2], first); ok {
		t.Error("a token that was used an hour ago was accepted")
	}
	f.expectEverywhere("after reuse", p.Access, false)
	f.expectNoErrors()
}

// TestFleet_WorkIsDoneOnce registers users through the balancer. All gateways look for
// accounts to create in Nextcloud and for mails to send; each is created and sent once.
func TestFleet_WorkIsDoneOnce(t *testing.T) {
	t.Parallel()
	const users = 24
	cloud, office := newNextcloud(t), mailtest.New(t, false)
	f := newFleet(t, append(append(listen(t, cloud), mailing(office)...), "EMAIL_VERIFICATION=off", "MAIL_NOTICES=true")...)
	var wg sync.WaitGroup
	for n := range users {
		wg.Go(func() {
			p := f.member(fmt.Sprintf("patient%d@example.org", n))
			change := fmt.Sprintf(`{"old_password":%q,"new_password":"%s?"}`, staple, staple)
			if !call(f.process, "POST", "/api/users/change-password", p.Access, change, nil) { // it is told by mail
				t.Errorf("patient %d cannot change the password", n)
			}
		})
	}
	wg.Wait()
	db := storetest.OpenPostgres(t, strings.TrimPrefix(f.env[0], "DATABASE_URL="))
	defer db.Close()
	count := func(query string) (n int) {
		if err := db.Handle().QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	await(t, "that every account is active and nothing is due", func() bool {
		return count(`SELECT COUNT(*) FROM nextcloud_accounts WHERE status = 'active' AND due_at IS NULL`) == users
	})
	await(t, "that every mail was sent", func() bool {
		return count(`SELECT COUNT(*) FROM mails WHERE outcome = 'sent'`) == users
	})
	creations := map[string]int{}
	for _, c := range cloud.Calls() {
		if c.Method == "POST" && strings.HasSuffix(c.Path, "/cloud/users") {
			creations[fmt.Sprint(c.Status)]++
		}
	}
	if len(creations) != 1 || creations["200"] != users || len(cloud.Users()) != users+1 {
		t.Errorf("got %v creations by status, and %d accounts; want one for each of %d users", creations, len(cloud.Users())-1, users)
	}
	for _, u := range cloud.Users() {
		if u.ID != "admin" && len(u.AppPasswords) != 1 {
			t.Errorf("%s has the app passwords %q, want one", u.ID, u.AppPasswords)
		}
	}
	var to []string
	for _, m := range office.Mails() {
		to = append(to, m.Header.Get("To"))
	}
	slices.Sort(to)
	if len(to) != users || len(slices.Compact(to)) != users {
		t.Errorf("got %d mails, want one for each of %d users", len(to), users)
	}
	f.expectNoErrors()
}

// TestFleet_ReplacedUnderLoad kills one gateway and stops another while clients work through
// the balancer, and starts new ones. Everything that was confirmed is there.
func TestFleet_ReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	given := newAnswers(t)
	given.clients, given.between = 6, 60
	c := newCrowd(given, f.process, allowance{})
	old := slices.Clone(f.gateways)
	for _, change := range []func(){
		func() { old[0].kill() },
		func() { f.replace(0, f.launch()) },
		func() {
			if code := old[1].stop(t); code != 0 {
				t.Errorf("after SIGTERM, a gateway exited with %d, want 0", code)
			}
		},
		func() { f.replace(1, f.launch()) },
	} {
		given.await(given.between)
		change()
	}
	c.leave()
	f.expectNoErrors()
}

// TestFleet_KeysFromCopies rotates the signing key and the data secret of a fleet under
// load. Two gateways share the key file; the third has a copy that is made after every
// step, so it is always behind. No request fails.
func TestFleet_KeysFromCopies(t *testing.T) {
	t.Parallel()
	k, copied := keyDir{dir: t.TempDir()}, keystore.In(t.TempDir())
	shared := []string{"DATABASE_URL=" + database(t), "JWT_ALGORITHM=EdDSA"}
	k.env = append(slices.Clone(shared), "JWT_KEYS_DIR="+k.dir)
	k.run(t, "rotate")
	synchronize := func() {
		t.Helper()
		text, err := os.ReadFile(keystore.In(k.dir).Path())
		if err != nil {
			t.Fatal(err)
		}
		draft := copied.Path() + ".new"
		if err := errors.Join(os.WriteFile(draft, text, 0o600), os.Rename(draft, copied.Path())); err != nil {
			t.Fatal(err)
		}
	}
	synchronize()
	a, b := start(t, t.TempDir(), nil, k.env...), start(t, t.TempDir(), nil, k.env...)
	c := start(t, t.TempDir(), nil, append(shared, "JWT_KEYS_DIR="+filepath.Dir(copied.Path()))...)
	l := &load{t: t, servers: []*process{a, b, c}, check: &verifier{from: c}} // the last to know the next key
	l.check.pass(t, 0)
	l.begin()
	steps := 0
	// step lets time pass and takes a step of the rotation. When the clients have worked
	// with the servers at different steps, the third follows.
	step := func(after time.Duration, args ...string) {
		t.Helper()
		steps++
		l.check.pass(t, after)
		k.age(t, after)
		k.run(t, args...)
		follow := func(servers ...*process) {
			for _, s := range servers {
				until(t, fmt.Sprintf("step %d", steps), func() bool {
					_ = s.cmd.Process.Signal(syscall.SIGHUP)
					return strings.Count(s.stdout.String(), `"keys changed"`) >= steps
				})
			}
		}
		follow(a, b)
		l.more()
		synchronize()
		follow(c)
		l.more() // nobody has a token of before
	}
	for _, kind := range []struct {
		name        string
		args        []string
		signs, ends time.Duration // after which the next key signs, and the old one is removed
	}{
		{"signing key", []string{"rotate", "--older-than", "0s"}, 62 * time.Minute, 17 * time.Minute},
		{"data secret", []string{"rotate", "--data", "--older-than", "0s"}, time.Minute, 169 * time.Hour},
	} {
		step(0, kind.args...)
		next := k.states(t, kind.name)["next"]
		step(kind.signs, kind.args...)
		step(kind.ends, kind.args...)
		if states := k.states(t, kind.name); next == "" || states["signs"] != next || len(states) != 1 {
			t.Errorf("after the rotation of the %s, got %v, want only %q", kind.name, states, next)
		}
	}
	l.end()
}
