package audit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const trailPath = "/api/audit"

// An event is one of the response, as the wire has it.
type event map[string]any

func read(t *testing.T, a functionstest.Answer) (events []event) {
	t.Helper()
	a.Want(http.StatusOK, "").Into(&events)
	return events
}

// TestTrail_TellsWhatHappened follows an account from its registration to its deletion, as
// its administrator does.
func TestTrail_TellsWhatHappened(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		root, p := g.Admin("root@example.org")
		admin := functionstest.Bearer(p.Access)
		id := g.Register(functionstest.Email, functionstest.Password)
		g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": "wrong"}, functionstest.From("198.51.100.7"),
			functionstest.Header("X-Correlation-ID", "attempt-1")).Want(http.StatusUnauthorized, "")
		ada := functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
		g.Do("GET", trailPath, nil, ada).Want(http.StatusForbidden, "admin_required")
		g.Do("GET", trailPath, nil).Want(http.StatusUnauthorized, "")
		g.Do("PATCH", "/api/users/"+string(id), `{"disabled":true}`, admin).Want(http.StatusOK, "")
		ofAda := trailPath + "?user_id=" + strings.ToUpper(string(id))
		list := read(t, g.Do("GET", ofAda, nil, admin))
		var names []string
		for _, e := range list {
			names = append(names, fmt.Sprint(e["event"]))
		}
		if got, want := fmt.Sprint(names), "[account_disabled logged_in login_failed account_registered]"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		for i, changes := range []event{
			{"event": "account_disabled", "actor_id": string(root), "actor_email": "root@example.org"},
			{},
			{"event": "login_failed", "login_id": nil, "detail": "wrong password", "address": "198.51.100.7", "correlation_id": "attempt-1"},
		} {
			want := event{
				"id": list[i]["id"], "at": "2026-03-01T12:00:00Z", "event": "logged_in", "alarming": false, "user_id": string(id),
				"user_email": functionstest.Email, "actor_id": nil, "actor_email": nil, "login_id": list[i]["login_id"], "detail": "",
				"address": "192.0.2.7", "device": "test device", "correlation_id": list[i]["correlation_id"],
			}
			maps.Copy(want, changes)
			if diff := cmp.Diff(want, list[i]); diff != "" || list[i]["correlation_id"] == "" {
				t.Errorf("event %d (-want +got):\n%s", i, diff)
			}
		}
		g.Do("DELETE", "/api/users/"+string(id), nil, admin).Want(http.StatusNoContent, "")
		list = read(t, g.Do("GET", ofAda+"&event=account_deleted,account_disabled", nil, admin))
		if len(list) != 2 || list[0]["user_email"] != nil || list[0]["user_id"] != string(id) || list[0]["actor_email"] != "root@example.org" {
			t.Errorf("after the deletion: got %v", list)
		}
		before := g.Do("GET", trailPath, nil, admin).Body
		if after := g.Do("GET", trailPath, nil, admin).Body; after != before {
			t.Errorf("reading the trail changes it:\n%s%s", before, after)
		}
	})
}

// TestTrail_MarksWhatIsAlarming reuses a refresh token.
func TestTrail_MarksWhatIsAlarming(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, p := g.Admin("root@example.org")
	stolen := g.Login("root@example.org", functionstest.Password).Refresh
	send := func() functionstest.Answer {
		return g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": stolen})
	}
	next := send().Want(http.StatusOK, "").Get("refresh_token")
	g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": next}).Want(http.StatusOK, "")
	g.Advance(time.Minute)
	send().Want(http.StatusUnauthorized, "token_reused")
	list := read(t, g.Do("GET", trailPath+"?limit=1", nil, functionstest.Bearer(p.Access)))
	if list[0]["event"] != "refresh_token_reused" || list[0]["alarming"] != true || list[0]["login_id"] == nil {
		t.Errorf("got %v", list)
	}
}

// TestTrail_LinksLeadThroughAllPages follows the links of filtered lists.
func TestTrail_LinksLeadThroughAllPages(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Admin("root@example.org")
		user, begin := account.NewID(), time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
		names := []audit.Name{audit.LoggedIn, audit.LoginFailed, audit.LoggedOut}
		var want []string
		for i := range 90 { // 10 at a time, in a minute
			e := audit.New(names[i%3], user, audit.Origin{}, begin.Add(time.Duration(i/10)*time.Minute))
			e.ID = uid.Since(e.At)[:24] + fmt.Sprintf("%012d", i)
			if i%2 == 1 {
				e.User = account.NewID()
			}
			if err := db.Audit(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if e.User == user && e.Name != audit.LoggedOut && i >= 20 && i < 80 {
				want = append(want, e.ID)
			}
		}
		slices.Reverse(want)
		query := "event=logged_in&event=login_failed&limit=3&since=2026-05-01T10:02:00%2B02:00&until=2026-05-01T08:08:00Z&user_id=" + string(user)
		var got []string
		pages := 0
		for next := trailPath + "?" + query + "&unknown=x"; next != ""; pages++ {
			a := g.Do("GET", next, nil, functionstest.Bearer(p.Access))
			for _, e := range read(t, a) {
				got = append(got, fmt.Sprint(e["id"]))
			}
			next, _ = strings.CutSuffix(strings.TrimPrefix(a.Header.Get("Link"), "<"), `>; rel="next"`)
			if strings.Contains(next, "unknown") || pages > 20 {
				t.Fatalf("page %d leads to %s", pages, next)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || pages != (len(want)+2)/3 {
			t.Errorf("in %d pages (-want +got):\n%s", pages, diff)
		}
	})
}

// TestTrail_RefusesOtherFilters sends values that are none.
func TestTrail_RefusesOtherFilters(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		_, p := g.Admin("root@example.org")
		for query, want := range map[string]string{
			"user_id=&event=&since=&until=&cursor=":                           "",
			"since=0000-01-01T00:00:00Z&until=9999-12-31T23:59:59.999999999Z": "",
			"since=2026-03-01T12:00:00.5%2B14:00":                             "",
			"event=logged_in,logged_in":                                       "",
			"user_id=ada@example.org":                                         "user_id invalid_id",
			"user_id=01a20bf2":                                                "user_id invalid_id",
			"event=logged_in,":                                                "event unknown_event",
			"event=LOGGED_IN":                                                 "event unknown_event",
			"event=x&since=yesterday&until=2026-03-01&user_id=x":              "user_id invalid_id, event unknown_event, since invalid_time, until invalid_time",
			"since=2026-03-01T12:00:00Z&until=2026-03-01T12:00:00Z":           "until not_after_since",
			"since=2026-03-01T12:00:00+02:00":                                 "since invalid_time", // + is a space
			"limit=201":                                                       "limit out_of_range",
			"skip=1":                                                          "skip not_allowed",
			"cursor=AAAA":                                                     "cursor invalid_cursor",
			"cursor=MDFhMjBiZjItMjQ0MC03ZTRjLWEzZTEtM2ViYWU0NzFhODMyYQ":       "cursor invalid_cursor", // of a sorted list
		} {
			a := g.Do("GET", trailPath+"?"+query, nil, functionstest.Bearer(p.Access))
			if want == "" {
				a.Want(http.StatusOK, "")
				continue
			}
			var problem struct{ Errors []fault.Field }
			a.Want(http.StatusUnprocessableEntity, "validation_failed").Into(&problem)
			var got []string
			for _, e := range problem.Errors {
				got = append(got, e.Field+" "+e.Code)
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s: got %s, want %s", query, strings.Join(got, ", "), want)
			}
		}
	})
}

// TestNames_AreDescribed compares the names in docs/openapi.json with those of the code.
func TestNames_AreDescribed(t *testing.T) {
	t.Parallel()
	var document struct {
		Components struct {
			Schemas struct {
				AuditEventName struct{ Enum []audit.Name }
			}
		}
	}
	if err := json.Unmarshal([]byte(docs.OpenAPI()), &document); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(audit.Names(), document.Components.Schemas.AuditEventName.Enum); diff != "" {
		t.Errorf("the code (-) and docs/openapi.json (+) differ:\n%s", diff)
	}
}
