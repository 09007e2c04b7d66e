package users_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const usersPath = "/api/users"

// TestAdmin_NoneAtFirst checks that the schema contains no account, and that the
// first registration creates no administrator.
func TestAdmin_NoneAtFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		g.Register("first@example.org", functionstest.Password)
		if n, err := db.CountOtherAdmins(t.Context(), account.NewID()); err != nil || n != 0 {
			t.Errorf("got %d administrators, %v", n, err)
		}
		_, root := g.Admin("root@example.org")
		var all []account.Profile
		g.Do("GET", usersPath, nil, functionstest.Bearer(root.Access)).Want(http.StatusOK, "").Into(&all)
		if len(all) != 2 {
			t.Errorf("created 2 accounts, got %+v", all)
		}
	})
}

func TestAdmin_RoutesRequireTheRole(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, p := g.Person()
	for _, call := range []struct{ method, path string }{
		{"GET", usersPath}, {"POST", usersPath},
		{"GET", usersPath + "/" + string(id)}, {"PATCH", usersPath + "/" + string(id)}, {"DELETE", usersPath + "/" + string(id)},
		{"POST", usersPath + "/" + string(id) + "/logout"},
	} {
		g.Do(call.method, call.path, `{}`).Want(http.StatusUnauthorized, "missing_token")
		g.Do(call.method, call.path, `{}`, functionstest.Bearer(p.Access)).Want(http.StatusForbidden, "admin_required")
	}
}

func TestAdmin_ManagesAccounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		rootID, root := g.Admin("root@example.org")
		admin := functionstest.Bearer(root.Access)

		made := g.Do("POST", usersPath, `{"email":"eve@example.org","password":"`+functionstest.Password+`","full_name":"Eve"}`, admin).
			Want(http.StatusCreated, "")
		at := made.Header.Get("Location")
		if at != usersPath+"/"+made.Get("id") || made.Get("role") != "user" {
			t.Errorf("Location %q, %s", at, made.Body)
		}
		if got := g.Do("GET", at, nil, admin).Want(http.StatusOK, ""); got.Body != made.Body {
			t.Errorf("GET: got %s, want the response to POST, %s", got.Body, made.Body)
		}
		eve := g.Login("eve@example.org", functionstest.Password)

		a := g.Do("PATCH", at, `{"disabled":true,"full_name":"Eve B."}`, admin).Want(http.StatusOK, "")
		if a.Get("disabled") != "true" || a.Get("full_name") != "Eve B." {
			t.Errorf("got %s", a.Body)
		}
		g.Do("GET", mePath, nil, functionstest.Bearer(eve.Access)).Want(http.StatusUnauthorized, "login_revoked")
		g.Do("PATCH", at, `{"disabled":false,"role":"admin"}`, admin).Want(http.StatusOK, "")
		g.Do("GET", mePath, nil, functionstest.Bearer(eve.Access)).Want(http.StatusUnauthorized, "login_revoked")
		eve = g.Login("eve@example.org", functionstest.Password)
		g.Do("GET", usersPath, nil, functionstest.Bearer(eve.Access)).Want(http.StatusOK, "")

		events, err := db.AuditOf(t.Context(), account.ID(made.Get("id")), 10)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range events {
			names = append(names, string(e.Name))
			if e.Name == audit.LoggedIn {
				continue
			}
			if e.Actor != rootID {
				t.Errorf("%s: got actor %q, want %q", e.Name, e.Actor, rootID)
			}
		}
		want := []audit.Name{audit.LoggedIn, audit.Enabled, audit.RoleChanged, audit.Disabled, audit.LoggedIn, audit.Registered}
		if fmt.Sprint(names) != fmt.Sprint(want) {
			t.Errorf("audited %v, want %v", names, want)
		}

		g.Do("DELETE", at, nil, admin).Want(http.StatusNoContent, "")
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			g.Do(method, at, `{}`, admin).Want(http.StatusNotFound, "not_found")
			g.Do(method, usersPath+"/x", `{}`, admin).Want(http.StatusNotFound, "not_found")
		}
	})
}

func TestAdmin_ListsAndSearches(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, root := g.Admin("root@example.org")
		admin := functionstest.Bearer(root.Access)
		for i := range 4 {
			g.Register(fmt.Sprintf("user_%d@example.org", i), functionstest.Password)
		}
		list := func(query string) (emails []string, next string) {
			a := g.Do("GET", usersPath+query, nil, admin).Want(http.StatusOK, "")
			var page []account.Profile
			a.Into(&page)
			for _, p := range page {
				emails = append(emails, strings.TrimSuffix(string(p.Email), "@example.org"))
			}
			_, next, _ = strings.Cut(strings.TrimSuffix(a.Header.Get("Link"), `>; rel="next"`), usersPath)
			return emails, next
		}
		first, next := list("?q=USER_&limit=3")
		second, end := list(next)
		if got := fmt.Sprint(first, second); got != "[user_0 user_1 user_2] [user_3]" || end != "" {
			t.Errorf("got %s, then %q", got, end)
		}
		for query, want := range map[string]int{"": 5, "?q=%25": 0, "?q=lovelace": 5, "?q=ovelace": 0, "?q=ada+l": 5, "?q=nobody": 0, "?q=%E2%80%8B": 5} {
			if got, _ := list(query); len(got) != want {
				t.Errorf("%q: got %v, want %d", query, got, want)
			}
		}
		g.Do("GET", usersPath+"?q="+strings.Repeat("x", 255), nil, admin).Want(422, "validation_failed")

		// A cursor belongs to a search or to the list of all.
		_, all := list("?limit=3")
		for _, cursor := range []string{all + "&q=user", strings.ReplaceAll(next, "q=", "x=")} {
			g.Do("GET", usersPath+cursor, nil, admin).Want(422, "validation_failed")
		}
	})
}

func TestAdmin_LastOneCannotBeRemoved(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		rootID, root := g.Admin("root@example.org")
		admin := functionstest.Bearer(root.Access)
		at := usersPath + "/" + string(rootID)
		g.Do("PATCH", at, `{"role":"user"}`, admin).Want(http.StatusConflict, "last_admin")
		g.Do("PATCH", at, `{"disabled":true}`, admin).Want(http.StatusConflict, "last_admin")
		g.Do("DELETE", at, nil, admin).Want(http.StatusConflict, "last_admin")
		g.Do("DELETE", mePath, map[string]string{"password": functionstest.Password}, admin).Want(http.StatusConflict, "last_admin")

		// If two administrators demote each other at once, exactly one of them stays an
		// administrator.
		otherID, other := g.Admin("other@example.org")
		var wg sync.WaitGroup
		wg.Go(func() { g.Do("PATCH", usersPath+"/"+string(otherID), `{"role":"user"}`, admin) })
		wg.Go(func() { g.Do("PATCH", at, `{"role":"user"}`, functionstest.Bearer(other.Access)) })
		wg.Wait()
		left, err := db.CountOtherAdmins(t.Context(), account.NewID())
		if err != nil || left != 1 {
			t.Errorf("%d administrators are left, %v; want 1", left, err)
		}
	})
}

func TestAdmin_BadInput(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, root := g.Admin("root@example.org")
	at := usersPath + "/" + string(id)
	for _, test := range []struct{ name, method, path, body string }{
		{"a role that is none", "PATCH", at, `{"role":"king"}`},
		{"a role of null", "PATCH", at, `{"role":null}`},
		{"disabled of null", "PATCH", at, `{"disabled":null}`},
		{"somebody's password", "PATCH", at, `{"password":"x"}`},
		{"a new account with a bad role", "POST", usersPath, `{"email":"x@example.org","password":"` + functionstest.Password + `","role":"x"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			g.In(t).Do(test.method, test.path, test.body, functionstest.Bearer(root.Access)).Want(422, "validation_failed")
		})
	}
}
