package recover_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const loggingIn = "/api/auth/login"

var right = map[string]string{"email": functionstest.Email, "password": functionstest.Password}

// visited returns a gateway that writes notices, with a user who has logged in from the
// address, and the user.
func visited(t *testing.T, db *store.DB, address string) (*functionstest.Gateway, functionstest.Option) {
	t.Helper()
	g := functionstest.New(t, db)
	g.Outbox.Notices = true
	g.Register(functionstest.Email, functionstest.Password)
	pair := enter(g, address)
	if all := g.Mails(); len(all) != 0 {
		t.Fatalf("the first login sent %+v", all)
	}
	return g, functionstest.Bearer(pair.Access)
}

// enter logs in from the address.
func enter(g *functionstest.Gateway, address string, options ...functionstest.Option) (pair functionstest.Pair) {
	g.Do("POST", loggingIn, right, append(options, functionstest.From(address))...).Want(http.StatusOK, "").Into(&pair)
	return pair
}

// wantNotices checks how many mails wait, all of them about logins.
func wantNotices(t *testing.T, g *functionstest.Gateway, n int, when string) []functionstest.Mail {
	t.Helper()
	all := g.Mails()
	for _, m := range all {
		if m.Kind != mail.NewNetwork || m.Recipient != functionstest.Email {
			t.Errorf("%s: got %+v", when, m)
		}
	}
	if len(all) != n {
		t.Fatalf("%s: %d notices, want %d", when, len(all), n)
	}
	return all
}

// TestNewNetwork_IsToldOnce logs in from networks of both families. Each is told once, with
// what the client is in words of a fixed list; the network of the first login is not told.
// A login that fails makes no network known and tells nothing.
func TestNewNetwork_IsToldOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := visited(t, db, "192.0.2.1")
		enter(g, "192.0.2.200")
		wantNotices(t, g, 0, "a neighbor")
		g.Do("POST", loggingIn, map[string]string{"email": functionstest.Email, "password": "wrong"}, functionstest.From("198.51.100.7")).
			Want(http.StatusUnauthorized, "")
		wantNotices(t, g, 0, "a wrong password")
		const evil = "Mozilla/5.0 (X11; Linux) Firefox/140 <a href=https://evil.example>https://evil.example</a> Bcc: all@evil.example"
		enter(g, "198.51.100.7", functionstest.Header("User-Agent", evil))
		told := wantNotices(t, g, 1, "another network")[0]
		if want := (mail.Data{Device: "Firefox, Linux", Address: "198.51.100.7"}); told.Data != want || !told.CreatedAt.Equal(g.Now()) {
			t.Errorf("got %+v, want %+v", told, want)
		}
		enter(g, "198.51.100.8")
		wantNotices(t, g, 0, "the same network")
		enter(g, "2001:db8:1:2::3")
		wantNotices(t, g, 1, "IPv6")
		enter(g, "2001:db8:1:ffff::3")
		enter(g, "192.0.2.1")
		wantNotices(t, g, 0, "known networks")
	})
}

// TestNewNetwork_ConcurrentLogins logs in from one new network many times at once.
func TestNewNetwork_ConcurrentLogins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := visited(t, db, "192.0.2.1")
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { enter(g, "198.51.100.7") })
		}
		wg.Wait()
		wantNotices(t, g, 1, "16 logins at once")
	})
}

// TestNewNetwork_NotMe is the owner who is told of the login of a thief. The password that
// the thief knows is void, the thief is logged out, and after the reset only the network of
// the owner is known, so a thief who learns the new password is told, too.
func TestNewNetwork_NotMe(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := visited(t, db, "192.0.2.1")
		thief := enter(g, "198.51.100.7")
		told := wantNotices(t, g, 1, "the thief")[0]
		g.Do("POST", disowning, token(told.Code), functionstest.From("203.0.113.1")).Want(http.StatusOK, "")
		g.Do("GET", "/api/users/me", nil, functionstest.Bearer(thief.Access)).Want(http.StatusUnauthorized, "")
		g.Do("POST", loggingIn, right).Want(http.StatusUnauthorized, "")
		g.Do("POST", resetting, reset(g.Mail(mail.ResetPassword).Code, functionstest.Password), functionstest.From("203.0.113.1")).Want(http.StatusOK, "")
		g.Mail(mail.PasswordChanged)
		enter(g, "203.0.113.99")
		wantNotices(t, g, 0, "the owner, from where the reset was")
		enter(g, "198.51.100.7")
		wantNotices(t, g, 1, "the thief again")
	})
}

// TestNewNetwork_CanBeTurnedOff sets preferences.notices, which concerns no other kind.
func TestNewNetwork_CanBeTurnedOff(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, ada := visited(t, db, "192.0.2.1")
		for i, step := range []struct {
			preferences string
			want        int
		}{
			{`{"notices":false}`, 0},
			{`{"notices":true}`, 1},
			{`{"notices":"false"}`, 1}, // clients store what they like
			{`{"notices":{"logins":false}}`, 1},
			{`{}`, 1},
			{`{"language":"de","notices":false}`, 0},
		} {
			g.Do("PATCH", "/api/users/me", `{"preferences":`+step.preferences+`}`, ada).Want(http.StatusOK, "")
			enter(g, fmt.Sprintf("10.0.%d.1", i))
			wantNotices(t, g, step.want, step.preferences)
			g.Advance(time.Minute)
		}
		g.Do("POST", "/api/users/change-password", map[string]string{"old_password": functionstest.Password, "new_password": fresh}, ada).Want(http.StatusOK, "")
		g.Mail(mail.PasswordChanged)
	})
}

// TestNewNetwork_IsBounded logs in from more networks than there are notices in an hour.
// All of them become known, and no login fails.
func TestNewNetwork_IsBounded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := visited(t, db, "192.0.2.1")
		for i := range 3 * mail.PerHour {
			enter(g, fmt.Sprintf("10.0.%d.1", i))
		}
		wantNotices(t, g, mail.PerHour, "many networks")
		g.Advance(time.Hour)
		enter(g, fmt.Sprintf("10.0.%d.1", 3*mail.PerHour-1))
		wantNotices(t, g, 0, "a network over the limit")
		enter(g, "198.51.100.1")
		wantNotices(t, g, 1, "an hour later")
	})
}

// TestNewNetwork_WithASecondFactor tells of a login when the code completes it, not before:
// the password alone logs nobody in.
func TestNewNetwork_WithASecondFactor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, ada := visited(t, db, "192.0.2.1")
		setup := g.Do("POST", "/api/auth/2fa/setup", map[string]string{"password": functionstest.Password}, ada).Want(http.StatusOK, "")
		g.Do("POST", "/api/auth/2fa/verify", map[string]string{"code": oneTime(t, g, setup.Get("manual_entry_key"))}, ada).Want(http.StatusOK, "")
		g.Mail(mail.SecondFactorEnabled)
		step := func(from, code string, status int) {
			t.Helper()
			at := functionstest.From(from)
			c := g.Do("POST", loggingIn, right, at).Want(http.StatusOK, "").Get("user_id")
			wantNotices(t, g, 0, "the password")
			g.Do("POST", "/api/auth/2fa/verify-login", map[string]string{"user_id": c, "code": code}, at).Want(status, "")
		}
		step("198.51.100.7", "000000", http.StatusUnauthorized)
		wantNotices(t, g, 0, "a wrong code")
		for _, want := range []int{1, 0} {
			g.Advance(time.Minute)
			step("198.51.100.7", oneTime(t, g, setup.Get("manual_entry_key")), http.StatusOK)
			wantNotices(t, g, want, "the code")
		}
	})
}

// TestNewNetwork_IsRememberedWithoutNotices logs in while notices are off: when they are
// turned on, users are not told of networks that they have used all along.
func TestNewNetwork_IsRememberedWithoutNotices(t *testing.T) {
	t.Parallel()
	g, _ := visited(t, storetest.SQLite(t), "192.0.2.1")
	g.Outbox.Notices = false
	enter(g, "198.51.100.7")
	g.Outbox.Notices = true
	enter(g, "198.51.100.7")
	wantNotices(t, g, 0, "a network of before")
	if strings.Contains(g.Log(), `"level":"ERROR"`) {
		t.Error(g.Log())
	}
}
