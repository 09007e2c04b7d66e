package sessions_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const path = "/api/sessions"

func TestSession_Lifecycle(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		id, p := g.Person()
		ada := functionstest.Bearer(p.Access)

		made := g.Do("POST", path, `{"title":" First ","context":{ "turns": [1, 2.50] }}`, ada).Want(http.StatusCreated, "")
		at := made.Header.Get("Location")
		if at != path+"/"+made.Get("id") || made.Get("title") != "First" || made.Get("user_id") != string(id) {
			t.Errorf("Location %q, %s", at, made.Body)
		}
		if !strings.Contains(made.Body, `"context":{"turns":[1,2.50]}`) {
			t.Errorf("got another context than was sent: %s", made.Body)
		}
		if got := g.Do("GET", at, nil, ada).Want(http.StatusOK, ""); got.Body != made.Body {
			t.Errorf("GET: got %s, want the response to POST, %s", got.Body, made.Body)
		}

		g.Advance(time.Minute)
		changed := g.Do("PATCH", at, `{"title":"Second"}`, ada).Want(http.StatusOK, "")
		if changed.Get("title") != "Second" || changed.Get("context", "turns") == "" ||
			changed.Get("updated_at") != "2026-03-01T12:01:00Z" || changed.Get("created_at") != made.Get("created_at") {
			t.Errorf("changed to %s", changed.Body)
		}
		if got := g.Do("PATCH", at, `{"context":null}`, ada).Get("context"); got != "{}" {
			t.Errorf("context null: got %s", got)
		}

		g.Register("bob@example.org", functionstest.Password)
		bob := functionstest.Bearer(g.Login("bob@example.org", functionstest.Password).Access)
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			g.Do(method, at, `{}`, bob).Want(http.StatusNotFound, "not_found")
			g.Do(method, path+"/7", `{}`, ada).Want(http.StatusNotFound, "not_found")
			g.Do(method, path+"/"+string(conversation.NewID()), `{}`, ada).Want(http.StatusNotFound, "not_found")
			g.Do(method, at, `{}`).Want(http.StatusUnauthorized, "missing_token")
		}

		g.Do("DELETE", at, nil, ada).Want(http.StatusNoContent, "")
		g.Do("DELETE", at, nil, ada).Want(http.StatusNotFound, "not_found")
	})
}

func TestSessions_ArePaginated(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const sessions = 7
		g := functionstest.New(t, db)
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		if got := g.Do("GET", path, nil, ada).Want(http.StatusOK, ""); got.Body != "[]\n" {
			t.Errorf("no sessions: got %q, want an empty array", got.Body)
		}
		for i := range sessions {
			g.Do("POST", path, map[string]string{"title": fmt.Sprint(i)}, ada).Want(http.StatusCreated, "")
		}
		var titles []string
		pages := 0
		for next := path + "?limit=3"; next != ""; pages++ {
			a := g.Do("GET", next, nil, ada).Want(http.StatusOK, "")
			var list []conversation.Session
			a.Into(&list)
			for _, s := range list {
				titles = append(titles, s.Title)
			}
			next = ""
			if link := a.Header.Get("Link"); link != "" {
				next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
			}
			// Sessions added meanwhile cause neither duplicates nor gaps.
			g.Do("POST", path, map[string]string{"title": "late"}, ada).Want(http.StatusCreated, "")
		}
		if got := strings.Join(titles, ""); got != "6543210" || pages != 3 {
			t.Errorf("got %d pages with %s, want 3 and 6543210", pages, got)
		}

		var skipped []conversation.Session
		g.Do("GET", path+"?skip=8&limit=200", nil, ada).Want(http.StatusOK, "").Into(&skipped)
		if len(skipped) != 2 || skipped[1].Title != "0" {
			t.Errorf("skip=8 of 10: got %v", skipped)
		}
	})
}

func TestSessions_BadInput(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Person()
	at := g.Do("POST", path, `{"title":"x"}`, functionstest.Bearer(p.Access)).Header.Get("Location")
	big := `{"title":"x","context":{"a":"` + strings.Repeat("x", conversation.MaxContext) + `"}}`
	for _, test := range []struct {
		name, method, target, body string
		status                     int
		field                      string
	}{
		{"no title", "POST", path, `{}`, 422, "title"},
		{"an empty title", "POST", path, `{"title":"  "}`, 422, "title"},
		{"a long title", "POST", path, `{"title":"` + strings.Repeat("x", 201) + `"}`, 422, "title"},
		{"a title of control characters", "POST", path, `{"title":"a\nb"}`, 422, "title"},
		{"a context that is an array", "POST", path, `{"title":"x","context":[]}`, 422, "context"},
		{"a context over 64 KiB", "POST", path, big, 422, "context"},
		{"a title of null", "PATCH", at, `{"title":null}`, 422, "title"},
		{"somebody else as owner", "POST", path, `{"title":"x","user_id":"y"}`, 422, "user_id"},
		{"limit 0", "GET", path + "?limit=0", "", 422, "limit"},
		{"limit 201", "GET", path + "?limit=201", "", 422, "limit"},
		{"limit abc", "GET", path + "?limit=abc", "", 422, "limit"},
		{"skip -1", "GET", path + "?skip=-1", "", 422, "skip"},
		{"a made-up cursor", "GET", path + "?cursor=abc", "", 422, "cursor"},
		{"a query that is none", "GET", path + "?limit=%zz", "", 400, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := g.In(t).Do(test.method, test.target, test.body, functionstest.Bearer(p.Access)).Want(test.status, "")
			var problem struct{ Errors []struct{ Field string } }
			a.Into(&problem)
			if test.field != "" && (len(problem.Errors) != 1 || problem.Errors[0].Field != test.field) {
				t.Errorf("got %s, want the one field %s", a.Body, test.field)
			}
		})
	}
}

// TestCreate_EnforcesTheLimit creates one session more than a user may have, and another one
// after a deletion.
func TestCreate_EnforcesTheLimit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.NewWith(t, db, map[string]string{"SESSIONS_PER_USER": "2"})
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)
		var at string
		for range 2 {
			at = g.Do("POST", path, `{"title":"x"}`, ada).Want(http.StatusCreated, "").Header.Get("Location")
		}
		for range 2 {
			a := g.Do("POST", path, `{"title":"x"}`, ada).Want(http.StatusConflict, "too_many_sessions")
			if a.Header.Get("Location") != "" {
				t.Errorf("got Location %s for a session that was not created", a.Header.Get("Location"))
			}
		}
		g.Do("PATCH", at, `{"title":"y"}`, ada).Want(http.StatusOK, "")
		g.Do("DELETE", at, nil, ada).Want(http.StatusNoContent, "")
		g.Do("POST", path, `{"title":"x"}`, ada).Want(http.StatusCreated, "")
		g.Do("POST", path, `{"title":"x"}`, ada).Want(http.StatusConflict, "too_many_sessions")
		g.Register("bob@example.org", functionstest.Password)
		bob := functionstest.Bearer(g.Login("bob@example.org", functionstest.Password).Access)
		g.Do("POST", path, `{"title":"x"}`, bob).Want(http.StatusCreated, "")
	})
}
