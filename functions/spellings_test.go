package functions_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// spellings all name one mailbox.
var spellings = []string{
	"bob@bücher.example", "bob@xn--bcher-kva.example", "Bob@BÜCHER.Example", "BOB@XN--BCHER-KVA.EXAMPLE",
	" bob@bu\u0308cher.example", "ｂｏｂ＠ｂücher．example", "bob@bücher。example", "bob@bü\u00adcher.example",
}

func registration(email string) map[string]string {
	return map[string]string{"email": email, "password": functionstest.Password}
}

func TestSpellings_NameOneAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		for i, registered := range spellings {
			label := string(rune('a' + i)) // a separate domain
			under := strings.NewReplacer("@", "@"+label+".", "＠", "＠"+label+"．")
			id := g.Register(under.Replace(registered), functionstest.Password)
			if kept(t, db, id) != spelled(t, under.Replace(registered)) {
				t.Errorf("older code does not find %s: it is stored as %s", registered, kept(t, db, id))
			}
			for _, s := range spellings {
				p := g.Login(under.Replace(s), functionstest.Password)
				me := g.Do("GET", "/api/users/me", nil, functionstest.Bearer(p.Access))
				if want := "bob@" + label + ".bücher.example"; me.Get("email") != want || me.Get("id") != string(id) {
					t.Errorf("registered as %s, logged in as %s: got %s", registered, s, me.Body)
				}
				g.Do("POST", "/api/auth/register", registration(under.Replace(s))).Want(http.StatusConflict, "email_taken")
			}
		}
	})
}

// kept returns the address that code without canonical addresses looks up.
func kept(t *testing.T, db *store.DB, id account.ID) (email account.Email) {
	t.Helper()
	if err := db.Handle().QueryRowContext(t.Context(), `SELECT email FROM users WHERE id = $1`, string(id)).Scan(&email); err != nil {
		t.Fatal(err)
	}
	return email
}

// spelled returns the address that such code looks up if a user types s.
func spelled(t *testing.T, s string) account.Email {
	t.Helper()
	l, err := account.ParseEmailLookup(s)
	if err != nil {
		t.Fatal(err)
	}
	return l.Legacy
}

func TestSpellings_ChangedAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		for _, s := range spellings {
			for _, to := range []string{functionstest.Email, s} {
				a := g.Do("PATCH", "/api/users/me", map[string]string{"email": to, "current_password": functionstest.Password}, functionstest.Bearer(p.Access))
				if a.Want(http.StatusOK, ""); kept(t, db, id) != spelled(t, to) {
					t.Errorf("older code does not find %s: it is stored as %s", to, kept(t, db, id))
				}
			}
			g.Login(spellings[0], functionstest.Password)
		}
	})
}

func TestSpellings_RaceForOneAddress(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, admin := g.Admin("root@example.org")
		movers := make([]functionstest.Pair, len(spellings))
		for i := range movers {
			name := "mover" + string(rune('a'+i)) + "@example.org"
			g.Register(name, functionstest.Password)
			movers[i] = g.Login(name, functionstest.Password)
		}
		var mu sync.Mutex
		got := map[int]int{}
		var wg sync.WaitGroup
		for i, s := range spellings {
			for _, call := range []func() functionstest.Answer{
				func() functionstest.Answer { return g.Do("POST", "/api/auth/register", registration(s)) },
				func() functionstest.Answer {
					return g.Do("POST", "/api/users", registration(s), functionstest.Bearer(admin.Access))
				},
				func() functionstest.Answer {
					return g.Do("PATCH", "/api/users/me", map[string]string{"email": s, "current_password": functionstest.Password}, functionstest.Bearer(movers[i].Access))
				},
			} {
				wg.Go(func() {
					a := call()
					if a.Status == http.StatusConflict && a.Get("code") != "email_taken" {
						t.Errorf("got %s", a.Body)
					}
					mu.Lock()
					defer mu.Unlock()
					got[a.Status]++
				})
			}
		}
		wg.Wait()
		if got[http.StatusConflict] != 3*len(spellings)-1 || got[http.StatusOK]+got[http.StatusCreated] != 1 {
			t.Errorf("got responses by status %v", got)
		}
	})
}

// TestSpellings_ShareTheLimitOfTheAccount checks that another spelling allows no further
// attempt.
func TestSpellings_ShareTheLimitOfTheAccount(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"an account": true, "an unknown account": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{"LOGIN_RATE_LIMIT_PER_MINUTE": "5"})
			if known {
				g.Register(spellings[0], functionstest.Password)
			}
			for i, s := range spellings {
				want := http.StatusUnauthorized
				if i >= 5 {
					want = http.StatusTooManyRequests
				}
				g.Do("POST", "/api/auth/login", credentials(s, "wrong"), from(i)).Want(want, "")
			}
		})
	}
}

// TestSpellings_OlderRows tests accounts with addresses that new accounts may not have,
// and two accounts that share one address.
func TestSpellings_OlderRows(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		for i, before := range []struct{ email, name, shown string }{
			{"😀@example.org", "Ada\u200b", "😀@example.org"},
			{"a\u200bda@ab--cd.example", "\u3164", "a\u200bda@ab--cd.example"},
			{"bob@bücher.example", "", "bob@bücher.example"},
			{"bob@xn--bcher-kva.example", "", "bob@xn--bcher-kva.example"},
		} {
			id := g.Register("new"+string(rune('a'+i))+"@example.org", functionstest.Password)
			if _, err := db.Handle().ExecContext(t.Context(), `
				UPDATE users SET email = $2, full_name = $3, canonical_email = NULL, canonical_of = NULL WHERE id = $1`,
				string(id), before.email, before.name); err != nil {
				t.Fatal(err)
			}
			if _, err := db.CanonicalizeEmails(t.Context()); err != nil {
				t.Fatal(err)
			}
			p := g.Login(strings.ToUpper(before.email), functionstest.Password)
			me := g.Do("PATCH", "/api/users/me", `{"preferences":{"a":1}}`, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
			if me.Get("email") != before.shown || me.Get("full_name") != before.name || me.Get("id") != string(id) {
				t.Errorf("%s: got %s", before.email, me.Body)
			}
			g.Do("PATCH", "/api/users/me", `{"full_name":"Ada\u200b"}`, functionstest.Bearer(p.Access)).Want(http.StatusUnprocessableEntity, "")
			g.Do("PATCH", "/api/users/me", `{"full_name":"Ada"}`, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
		}
		g.Do("POST", "/api/auth/register", registration("bob@BÜCHER.example")).Want(http.StatusConflict, "email_taken")
	})
}

// TestSpellings_WrittenByOlderCodeAreTaken acts as an instance of the previous release that
// registers an address during a deployment.
func TestSpellings_WrittenByOlderCodeAreTaken(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Person()
		_, admin := g.Admin("root@example.org")
		id := g.Register("old@example.org", functionstest.Password)
		olderCode := func(email string) {
			t.Helper()
			if _, err := db.Handle().ExecContext(t.Context(), `
				UPDATE users SET email = $2, canonical_email = NULL, canonical_of = NULL WHERE id = $1`, string(id), email); err != nil {
				t.Fatal(err)
			}
		}
		for _, call := range []func(email string) functionstest.Answer{
			func(email string) functionstest.Answer {
				return g.Do("POST", "/api/auth/register", registration(email))
			},
			func(email string) functionstest.Answer {
				return g.Do("POST", "/api/users", registration(email), functionstest.Bearer(admin.Access))
			},
			func(email string) functionstest.Answer {
				return g.Do("PATCH", "/api/users/me", map[string]string{"email": email, "current_password": functionstest.Password}, functionstest.Bearer(p.Access))
			},
		} {
			for _, other := range spellings[1:] {
				olderCode(spellings[0])
				g.Login(spellings[1], functionstest.Password)
				call(other).Want(http.StatusConflict, "email_taken")
			}
		}
	})
}

func TestNames_AreCheckedAndSearchable(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, admin := g.Admin("root@example.org")
	id := g.Register("ada@bücher.example", functionstest.Password)
	p := g.Login("ada@bücher.example", functionstest.Password)
	name := func(name string) functionstest.Answer {
		return g.Do("PATCH", "/api/users/me", map[string]string{"full_name": name}, functionstest.Bearer(p.Access))
	}
	if a := name("Ad\u00ada"); !strings.Contains(a.Want(http.StatusUnprocessableEntity, "").Body, "Must not contain U+00AD, a character that cannot be seen.") {
		t.Errorf("got %s", a.Body)
	}
	for _, nothing := range []string{"\u200b", "\u3164\u3000", "\u2800"} {
		if got := name(nothing).Want(http.StatusOK, "").Get("full_name"); got != "" {
			t.Errorf("%+q: got %+q", nothing, got)
		}
	}
	if got := name("Ａda ❤️").Want(http.StatusOK, "").Get("full_name"); got != "Ａda ❤️" {
		t.Errorf("got %q", got)
	}
	for _, q := range []string{"ada ❤", "ADA", "ａｄａ", "ada@xn--bcher", "ADA@BÜCHER", "ada%E2%80%8B"} {
		var list []account.Profile
		g.Do("GET", "/api/users?q="+strings.ReplaceAll(q, " ", "+"), nil, functionstest.Bearer(admin.Access)).Want(http.StatusOK, "").Into(&list)
		if !slices.ContainsFunc(list, func(p account.Profile) bool { return p.ID == id }) {
			t.Errorf("%q: got %v", q, list)
		}
	}
}
