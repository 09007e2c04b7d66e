package refresh_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const day = 24 * time.Hour

// times is a pair of tokens with the times in the response.
type times struct {
	functionstest.Pair

	ExpiresIn        int `json:"expires_in"`
	RefreshExpiresIn int `json:"refresh_expires_in"`
}

// TestLoginLifetime uses a login once a day until it is 90 days old. No token outlives
// that, and after it none is issued, with or without grace.
func TestLoginLifetime(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, first := g.Person()
		end := g.Now().Add(signin.DefaultAbsolute)
		p := times{Pair: first}
		use := func() {
			t.Helper()
			var next times
			refresh(g, p.Refresh).Want(http.StatusOK, "").Into(&next)
			p = next
			left := int(end.Sub(g.Now()) / time.Second)
			if want := min(left, int(signin.DefaultIdle/time.Second)); p.RefreshExpiresIn != want {
				t.Fatalf("%v before the end refresh_expires_in is %d, want %d", end.Sub(g.Now()), p.RefreshExpiresIn, want)
			}
			claims, err := g.Tokens.Access.Verify(p.Access, g.Now())
			if err != nil || claims.ExpiresAt.After(end) || p.ExpiresIn != min(left, 900) ||
				claims.ExpiresAt != g.Now().Truncate(time.Second).Add(time.Duration(p.ExpiresIn)*time.Second) {
				t.Fatalf("%v before the end the access token is for %d s and expires at %v, %v", end.Sub(g.Now()), p.ExpiresIn, claims.ExpiresAt, err)
			}
		}
		for range 89 {
			g.Advance(day)
			use()
		}
		g.Advance(day - 10*time.Second)
		used := p.Refresh
		use()
		if p.ExpiresIn != 10 || p.RefreshExpiresIn != 10 {
			t.Errorf("10 s before the end: got pair %+v", p)
		}
		me := func() functionstest.Answer { return g.Do("GET", "/api/users/me", nil, functionstest.Bearer(p.Access)) }
		g.Advance(10*time.Second - time.Microsecond)
		me().Want(http.StatusOK, "")
		refresh(g, used).Want(http.StatusOK, "") // within the grace period
		g.Advance(time.Microsecond)
		me().Want(http.StatusUnauthorized, "login_revoked") // the leeway for clocks does not extend the lifetime
		refresh(g, p.Refresh).Want(http.StatusUnauthorized, "token_expired")
		refresh(g, used).Want(http.StatusUnauthorized, "token_expired")
		g.Login(functionstest.Email, functionstest.Password)
	})
}

// TestLoginLifetime_IsASetting tests another lifetime, and none.
func TestLoginLifetime_IsASetting(t *testing.T) {
	t.Parallel()
	for setting, last := range map[string]int{"1": 1, "0": 200, "3": 3} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"LOGIN_LIFETIME_DAYS": setting})
			_, p := g.Person()
			for range last - 1 {
				g.Advance(day)
				p = pair(refresh(g, p.Refresh).Want(http.StatusOK, ""))
			}
			g.Advance(day)
			if setting == "0" {
				refresh(g, p.Refresh).Want(http.StatusOK, "")
				return
			}
			refresh(g, p.Refresh).Want(http.StatusUnauthorized, "token_expired")
		})
	}
}

// TestLoginLifetime_BoundsTheCookie checks that browsers do not keep a cookie that is
// no longer accepted.
func TestLoginLifetime_BoundsTheCookie(t *testing.T) {
	t.Parallel()
	g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"LOGIN_LIFETIME_DAYS": "1"})
	g.Register(functionstest.Email, functionstest.Password)
	a := login(g)
	if got := a.Header.Get("Set-Cookie"); !strings.Contains(got, "Max-Age=86400;") {
		t.Errorf("got cookie %s", got)
	}
}

// TestSession checks the times of the current login, which the request does not change.
func TestSession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Person()
		g.Advance(time.Hour)
		other := g.Login(functionstest.Email, functionstest.Password)
		session := func(p functionstest.Pair) map[string]any {
			t.Helper()
			a := g.Do("GET", "/api/auth/session", nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
			got := map[string]any{}
			a.Into(&got)
			return got
		}
		want := func(got map[string]any, text string) {
			t.Helper()
			wanted := map[string]any{"absolute_timeout_hours": 2160.0, "inactivity_timeout_minutes": 10080.0}
			if err := json.Unmarshal([]byte(text), &wanted); err != nil {
				t.Fatal(err)
			}
			if a, b := asJSON(t, got), asJSON(t, wanted); a != b {
				t.Errorf("got  %s\nwant %s", a, b)
			}
		}
		p = pair(refresh(g, p.Refresh).Want(http.StatusOK, ""))
		g.Advance(time.Minute + time.Millisecond)
		for range 2 {
			want(session(p), `{"absolute_remaining_seconds":7772339,"inactivity_remaining_seconds":604739,
				"session_started_at":"2026-03-01T12:00:00Z","last_activity_at":"2026-03-01T13:00:00Z"}`)
		}
		want(session(other), `{"absolute_remaining_seconds":7775939,"inactivity_remaining_seconds":604739,
			"session_started_at":"2026-03-01T13:00:00Z","last_activity_at":"2026-03-01T13:00:00Z"}`)
		g.Do("POST", "/api/auth/logout", nil, functionstest.Bearer(p.Access)).Want(http.StatusNoContent, "")
		g.Do("GET", "/api/auth/session", nil, functionstest.Bearer(p.Access)).Want(http.StatusUnauthorized, "login_revoked")
		g.Do("GET", "/api/auth/session", nil).Want(http.StatusUnauthorized, "missing_token")

		endless := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"LOGIN_LIFETIME_DAYS": "0", "REFRESH_TOKEN_EXPIRE_DAYS": "2"})
		_, p = endless.Person()
		g = endless
		want(session(p), `{"absolute_timeout_hours":0,"inactivity_timeout_minutes":2880,
			"absolute_remaining_seconds":null,"inactivity_remaining_seconds":172800,
			"session_started_at":"2026-03-01T12:00:00Z","last_activity_at":"2026-03-01T12:00:00Z"}`)
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
