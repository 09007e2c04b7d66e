package users_test

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const mePath = "/api/users/me"

func TestMe_RequiresAToken(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	for _, test := range []struct {
		name, authorization, code, challenge string
	}{
		{"none", "", "missing_token", `Bearer realm="voiceassist"`},
		{"another scheme", "Basic YTpi", "missing_token", `Bearer realm="voiceassist"`},
		{"garbage", "Bearer x", "invalid_token", `error="invalid_token"`},
		{"the refresh token", "Bearer " + p.Refresh, "invalid_token", `error="invalid_token"`},
		{"a changed signature", "Bearer " + p.Access[:len(p.Access)-4] + "AAAA", "invalid_token", `error="invalid_token"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := g.In(t).Do("GET", mePath, nil, func(r *http.Request) {
				if test.authorization != "" {
					r.Header.Set("Authorization", test.authorization)
				}
			}).Want(http.StatusUnauthorized, test.code)
			if got := a.Header.Get("WWW-Authenticate"); !strings.Contains(got, test.challenge) {
				t.Errorf("got WWW-Authenticate %q, want %q in it", got, test.challenge)
			}
		})
	}
	g.Do("GET", mePath, nil, functionstest.Header("Authorization", "bearer "+p.Access)).Want(http.StatusOK, "")
	g.Advance(16 * time.Minute)
	g.Do("GET", mePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusUnauthorized, "token_expired")
}

func TestMe_Change(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		g.Register("bob@example.org", functionstest.Password)

		g.Advance(time.Minute)
		a := g.Do("PATCH", mePath, `{"preferences":{"theme":"dark"}}`, ada).Want(http.StatusOK, "")
		if a.Get("preferences", "theme") != "dark" || a.Get("full_name") != "Ada Lovelace" ||
			a.Get("updated_at") != "2026-03-01T12:01:00Z" {
			t.Errorf("got %s", a.Body)
		}
		a = g.Do("PUT", mePath, `{"full_name":null,"preferences":null}`, ada).Want(http.StatusOK, "")
		if a.Get("full_name") != "" || a.Get("preferences") != "{}" {
			t.Errorf("null does not reset: %s", a.Body)
		}

		g.Do("PATCH", mePath, `{"email":"ada2@example.org"}`, ada).Want(422, "validation_failed")
		g.Do("PATCH", mePath, `{"email":"ada2@example.org","current_password":"no"}`, ada).Want(400, "incorrect_password")
		g.Do("PATCH", mePath, `{"email":"bob@example.org","current_password":"`+functionstest.Password+`"}`, ada).
			Want(http.StatusConflict, "email_taken")
		g.Do("PATCH", mePath, `{"email":"ADA2@example.org","current_password":"`+functionstest.Password+`"}`, ada).
			Want(http.StatusOK, "")
		if got := g.Do("GET", mePath, nil, ada).Get("email"); got != "ada2@example.org" {
			t.Errorf("got address %s", got)
		}
		events, err := db.AuditOf(t.Context(), id, 1)
		if err != nil || events[0].Name != audit.EmailChanged {
			t.Errorf("audited %+v, %v", events, err)
		}
		g.Login("ada2@example.org", functionstest.Password)
	})
}

func TestMe_BadInput(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	for name, body := range map[string]string{
		"preferences that are not an object":   `{"preferences":[1]}`,
		"preferences over 16 KiB":              `{"preferences":{"a":"` + strings.Repeat("x", 16<<10) + `"}}`,
		"an address of null":                   `{"email":null,"current_password":"x"}`,
		"a role":                               `{"role":"admin"}`,
		"a name with a control character":      `{"full_name":"a\u0007"}`,
		"a name in the wrong type":             `{"full_name":7}`,
		"a name with a bidirectional override": `{"full_name":"a\u202eb"}`,
	} {
		t.Run(name, func(t *testing.T) {
			g.In(t).Do("PATCH", mePath, body, functionstest.Bearer(p.Access)).Want(422, "validation_failed")
		})
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const fresh = "an entirely new passphrase"
		g := functionstest.New(t, db)
		_, p := g.Person()
		other := g.Login(functionstest.Email, functionstest.Password)
		change := func(old, new string) functionstest.Answer {
			return g.Do("POST", "/api/users/change-password",
				map[string]string{"old_password": old, "new_password": new}, functionstest.Bearer(p.Access))
		}
		change("wrong", fresh).Want(http.StatusBadRequest, "incorrect_password")
		change(functionstest.Password, "short").Want(422, "validation_failed")
		change(functionstest.Password, functionstest.Email).Want(422, "validation_failed")
		change("", "").Want(422, "validation_failed")

		a := change(functionstest.Password, fresh).Want(http.StatusOK, "")
		if a.Get("message") != "Password updated successfully" {
			t.Errorf("got %s", a.Body)
		}
		g.Do("GET", mePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
		g.Do("GET", mePath, nil, functionstest.Bearer(other.Access)).Want(http.StatusUnauthorized, "login_revoked")
		g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": functionstest.Password}).
			Want(http.StatusUnauthorized, "incorrect_credentials")
		g.Login(functionstest.Email, fresh)
	})
}

func TestChangePassword_ExactlyOneConcurrentRequestWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Person()
		passwords := [2]string{"the first new passphrase", "the second new passphrase"}
		var answers [2]functionstest.Answer
		var wg sync.WaitGroup
		for i, fresh := range passwords {
			wg.Go(func() {
				answers[i] = g.Do("POST", "/api/users/change-password", map[string]string{
					"old_password": functionstest.Password, "new_password": fresh,
				}, functionstest.Bearer(p.Access))
			})
		}
		wg.Wait()
		winner := 0
		if answers[1].Status == http.StatusOK {
			winner = 1
		}
		answers[winner].Want(http.StatusOK, "")
		answers[1-winner].Want(http.StatusBadRequest, "incorrect_password")
		g.Login(functionstest.Email, passwords[winner])
	})
}

func TestLogins(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	g.Advance(time.Minute)
	other := g.Login(functionstest.Email, functionstest.Password)
	ada := functionstest.Bearer(p.Access)
	var list []struct {
		ID, Device, Address string
		LastUsed            time.Time `json:"last_used_at"`
		Current             bool
	}
	g.Do("GET", mePath+"/logins", nil, ada).Want(http.StatusOK, "").Into(&list)
	if len(list) != 2 || list[0].Current || !list[1].Current || list[0].Device != "test device" ||
		list[0].Address != "192.0.2.7" || !list[0].LastUsed.After(list[1].LastUsed) {
		t.Fatalf("got %+v; want the other login first, then the current one", list)
	}
	g.Do("DELETE", mePath+"/logins/"+list[0].ID, nil, ada).Want(http.StatusNoContent, "")
	g.Do("DELETE", mePath+"/logins/"+list[0].ID, nil, ada).Want(http.StatusNotFound, "not_found")
	g.Do("DELETE", mePath+"/logins/x", nil, ada).Want(http.StatusNotFound, "not_found")
	g.Do("GET", mePath, nil, functionstest.Bearer(other.Access)).Want(http.StatusUnauthorized, "login_revoked")

	g.Register("bob@example.org", functionstest.Password)
	bob := g.Login("bob@example.org", functionstest.Password)
	g.Do("DELETE", mePath+"/logins/"+list[1].ID, nil, functionstest.Bearer(bob.Access)).Want(http.StatusNotFound, "not_found")
	g.Do("GET", mePath, nil, ada).Want(http.StatusOK, "")
}

func TestDeleteMe(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		g.Do("POST", "/api/sessions", `{"title":"x"}`, ada).Want(http.StatusCreated, "")
		g.Do("DELETE", mePath, nil, ada).Want(422, "validation_failed")
		g.Do("DELETE", mePath, `{"password":"wrong"}`, ada).Want(http.StatusBadRequest, "incorrect_password")
		g.Do("DELETE", mePath, map[string]string{"password": functionstest.Password}, ada).Want(http.StatusNoContent, "")
		g.Do("GET", mePath, nil, ada).Want(http.StatusUnauthorized, "login_revoked")
		g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": p.Refresh}).
			Want(http.StatusUnauthorized, "invalid_token")
		events, err := db.AuditOf(t.Context(), id, 1)
		if err != nil || events[0].Name != audit.Deleted {
			t.Errorf("audited %+v, %v", events, err)
		}
		g.Register(functionstest.Email, functionstest.Password) // the address is free again
	})
}
