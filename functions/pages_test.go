package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// filler returns a JSON object of exactly size bytes. Its letters take two bytes each, so
// that counting characters instead of bytes would fail.
func filler(size int) document.Object {
	return document.Object(`{"a":"` + strings.Repeat("ü", (size-8)/2) + `"}`)
}

// walk follows the links of a list and returns the IDs on each page. It checks that no
// page exceeds its limit or 1 MiB.
func walk(t *testing.T, g *functionstest.Gateway, path string, limit int, who functionstest.Option) (pages [][]string) {
	t.Helper()
	for next := path; next != ""; {
		a := g.Do("GET", next, nil, who).Want(http.StatusOK, "")
		var items []struct{ ID string }
		if err := json.Unmarshal([]byte(a.Body), &items); err != nil {
			t.Fatalf("%s: %v", next, err)
		}
		var ids []string
		for _, item := range items {
			ids = append(ids, item.ID)
		}
		if pages = append(pages, ids); len(ids) > limit || len(a.Body) > endpoint.MaxPage || len(pages) > 1000 {
			t.Fatalf("page %d has %d items in %d bytes", len(pages), len(ids), len(a.Body))
		}
		next, _ = strings.CutSuffix(strings.TrimPrefix(a.Header.Get("Link"), "<"), `>; rel="next"`)
	}
	return pages
}

// wantAll checks that the pages together hold want, in count pages, so that none is cut
// short without need.
func wantAll(t *testing.T, pages [][]string, want []string, count int) {
	t.Helper()
	var all []string
	for _, p := range pages {
		all = append(all, p...)
	}
	if fmt.Sprint(all) != fmt.Sprint(want) || len(pages) != count {
		t.Errorf("got %d pages with %d items, want %d with %d in order", len(pages), len(all), count, len(want))
	}
}

// TestPages_AreAtMostOneMebibyte fills every paginated list with the largest rows it accepts.
func TestPages_AreAtMostOneMebibyte(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Admin(functionstest.Email)
		ada := functionstest.Bearer(p.Access)
		var sessions, users []string
		for range 50 { // a page fits 15 of them
			made := g.Do("POST", "/api/sessions", map[string]any{
				"title": strings.Repeat(`"`, conversation.MaxTitle), "context": filler(conversation.MaxContext),
			}, ada).Want(http.StatusCreated, "")
			sessions = append([]string{made.Get("id")}, sessions...)
		}
		users = []string{string(id)}
		for i := range 139 { // a page fits 62 of them
			a := account.Account{
				ID: account.NewID(), Email: account.Email(fmt.Sprintf("p%d@example.org", i)), Role: account.User,
				Preferences: filler(account.MaxPreferences), CreatedAt: time.Now(), UpdatedAt: time.Now(),
			}
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateAccount(t.Context(), a, "x") }); err != nil {
				t.Fatal(err)
			}
			users = append([]string{string(a.ID)}, users...)
		}
		wantAll(t, walk(t, g, "/api/sessions?limit=200", 200, ada), sessions, 4)
		wantAll(t, walk(t, g, "/api/sessions", 50, ada), sessions, 4)
		wantAll(t, walk(t, g, "/api/sessions?limit=10", 10, ada), sessions, 5)
		wantAll(t, walk(t, g, "/api/sessions?limit=200&skip=45", 200, ada), sessions[45:], 1)
		wantAll(t, walk(t, g, "/api/users?limit=200", 200, ada), users, 3)
		wantAll(t, walk(t, g, "/api/users?limit=200&q=P1", 200, ada), matching(t, db, "p1"), 1)

		// The database does not send rows beyond the page.
		rows, err := db.Sessions(t.Context(), id, store.Page{Limit: 201, Bytes: endpoint.MaxPage})
		if err != nil || len(rows) != 16 {
			t.Errorf("read %d sessions for a page of 15, %v", len(rows), err)
		}
		people, err := db.Accounts(t.Context(), store.Page{Limit: 201, Bytes: endpoint.MaxPage})
		if err != nil || len(people) != 64 {
			t.Errorf("read %d accounts for a page of 62, %v", len(people), err)
		}
	})
}

func matching(t *testing.T, db *store.DB, search string) (ids []string) {
	t.Helper()
	found, err := db.SearchAccounts(t.Context(), search, store.Page{Limit: 201})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range found {
		ids = append(ids, string(a.ID))
	}
	return ids
}

// TestLogins_ArePaginated signs in on more devices than a page shows.
func TestLogins_ArePaginated(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		list := g.Do("GET", "/api/users/me/logins", nil, ada).Want(http.StatusOK, "")
		var first []struct{ ID string }
		list.Into(&first)
		logins := []string{first[0].ID}
		_, hash, err := db.AccountAndHash(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		for i := range 450 {
			l := signin.Start(id, strings.Repeat(`"`, 300), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", now.Add(-time.Duration(i)*time.Second), signin.Lifetimes{Idle: signin.DefaultIdle})
			if err := db.StartLogin(t.Context(), l, hash, audit.New(audit.LoggedIn, id, audit.Origin{}, now), nil); err != nil {
				t.Fatal(err)
			}
			logins = append([]string{string(l.ID)}, logins...)
		}
		wantAll(t, walk(t, g, "/api/users/me/logins?limit=200", 200, ada), logins, 3)
		wantAll(t, walk(t, g, "/api/users/me/logins", 50, ada), logins, 10)
	})
}

// TestPages_LinksOmitUnknownParameters sends a query with unknown parameters. The link to the
// next page contains none of them.
func TestPages_LinksOmitUnknownParameters(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Admin(functionstest.Email)
	ada := functionstest.Bearer(p.Access)
	for range 2 {
		g.Do("POST", "/api/sessions", `{"title":"x"}`, ada).Want(http.StatusCreated, "")
	}
	for i := range 3 {
		g.Register(fmt.Sprintf("p%d@example.org", i), functionstest.Password)
	}
	junk := "&x=" + strings.Repeat("y", 20_000)
	for path, want := range map[string]url.Values{
		"/api/sessions?limit=1":     {"limit": {"1"}},
		"/api/users?limit=1&q=LOVE": {"limit": {"1"}, "q": {"LOVE"}},
	} {
		a := g.Do("GET", path+junk, nil, ada).Want(http.StatusOK, "")
		next, err := url.Parse(strings.TrimSuffix(strings.TrimPrefix(a.Header.Get("Link"), "<"), `>; rel="next"`))
		if err != nil {
			t.Fatal(err)
		}
		got := next.Query()
		got.Del("cursor")
		if got.Encode() != want.Encode() || len(a.Header.Get("Link")) > 1000 {
			t.Errorf("%s: got link %.300s", path, next)
		}
	}
}

// TestQueries_AreUTF8 sends text that PostgreSQL does not accept.
func TestQueries_AreUTF8(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Admin(functionstest.Email)
		ada := functionstest.Bearer(p.Access)
		for _, path := range []string{
			"/api/users?q=%FF", "/api/users?q=%ED%A0%80", "/api/users?q=%00", "/api/users?q=a%00b", "/api/users?%FF=x",
			"/api/sessions?limit=%FF", "/api/sessions?cursor=%00", "/api/nextcloud/accounts?status=%FF", "/api/users?q=%C0%80",
			"/api/users/me/logins?x=%FF", "/api/users?q=%zz", "/api/users?q=a;b",
		} {
			g.Do("GET", path, nil, ada).Want(http.StatusBadRequest, "malformed_query")
		}
		for _, path := range []string{"/api/users/%FF", "/api/sessions/%00", "/api/sessions/%ED%A0%80", "/api/users/%FF%00/x"} {
			g.Do("GET", path, nil, ada).Want(http.StatusNotFound, "not_found")
		}
		g.Do("POST", "/api/auth/logout?all=%FF", nil, ada).Want(http.StatusUnprocessableEntity, "validation_failed")
		g.Do("GET", "/api/users?q=%F0%9F%98%80", nil, ada).Want(http.StatusOK, "")
	})
}
