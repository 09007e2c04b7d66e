package reconcile_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// roster reads the users of Nextcloud.
func (f *fixture) roster(r *reconcile.Reconciler) []reconcile.RosterEntry {
	f.t.Helper()
	list, err := r.Roster(f.t.Context(), func(int) {})
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

func TestRoster_SaysWhoIsLeftOutAndWhy(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, map[string]string{"NEXTCLOUD_ON_DELETE": "disable"})
		r := f.reconciler()
		f.register("own@example.org") // who gets an account in Nextcloud
		gone := f.register("gone@example.org")
		f.removed(gone)
		f.register("taken@example.org") // whose account there is still to be created
		f.register("waits@example.org")

		for id, email := range map[string]string{
			"countess":          "Ada@Example.org",
			"grace":             "grace@bücher.example",
			"gone2":             "gone@example.org",   // as a disabled account of the gateway
			"waits@example.org": "waits2@example.org", // reserved for a user of the gateway
			"boss":              "boss@example.org",   // of a group
			"root":              "root@example.org",   //
			"ldap":              "ldap@example.org",   //
			"asleep":            "asleep@example.org", //
			"nobody":            "",                   //
			"bad":               "not an address",     //
			"other":             "TAKEN@example.org",  //
			"twin1":             "twin@example.org",   //
			"twin2":             "Twin@EXAMPLE.org",   //
			"half":              "boss@example.org",   // as an administrator of a group
			"10":                "number@example.org", // PHP makes numbers of such ids
			"bell":              "bell@example.org",   //
			"o'hara":            "o'hara@example.org", //
		} {
			f.cloud.AddUser(id, "x", email)
		}
		f.cloud.MakeAdmin("boss", "staff")
		f.cloud.MakeAdmin("root", "admin")
		f.cloud.SetBackend("ldap", "LDAP")
		f.cloud.SetEnabled("asleep", false)
		f.cloud.Set("countess", "displayname", "Ada Lovelace")
		f.cloud.Set("bell", "displayname", "Bell\a")

		e := func(id, email string, reason reconcile.Reason, shared ...string) reconcile.RosterEntry {
			address, _ := account.ParseEmail(email)
			return reconcile.RosterEntry{ID: id, Email: email, Reason: reason, SharedBy: shared, Address: address}
		}
		ada := e("countess", "Ada@Example.org", "")
		ada.FullName = "Ada Lovelace"
		own := e("own@example.org", "own@example.org", reconcile.IsLinked)
		own.FullName = "Ada Lovelace"
		deleted := e("gone@example.org", "gone@example.org", reconcile.IsLinked)
		deleted.FullName = "Ada Lovelace"
		want := []reconcile.RosterEntry{
			e("10", "number@example.org", ""),
			e("admin", "", reconcile.IsAdministrator),
			e("asleep", "asleep@example.org", reconcile.IsDisabled),
			e("bad", "not an address", reconcile.HasBadAddress),
			e("bell", "bell@example.org", ""),
			e("boss", "boss@example.org", reconcile.IsAdministrator),
			ada,
			e("gone2", "gone@example.org", ""),
			deleted,
			e("grace", "grace@bücher.example", ""),
			e("half", "boss@example.org", reconcile.SharesAddress, "boss"),
			e("ldap", "ldap@example.org", reconcile.IsForeign),
			e("nobody", "", reconcile.LacksAddress),
			e("o'hara", "o'hara@example.org", ""),
			e("other", "TAKEN@example.org", reconcile.Exists),
			own,
			e("root", "root@example.org", reconcile.IsAdministrator),
			e("twin1", "twin@example.org", reconcile.SharesAddress, "twin2"),
			e("twin2", "Twin@EXAMPLE.org", reconcile.SharesAddress, "twin1"),
			e("waits@example.org", "waits2@example.org", reconcile.IsLinked),
		}
		if diff := cmp.Diff(want, f.roster(r), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRoster_ReadsThousands has twins on pages that are far apart.
func TestRoster_ReadsThousands(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	const users = 1200
	for i := range users {
		f.cloud.AddUser(fmt.Sprintf("user%d", i), "x", fmt.Sprintf("user%d@example.org", i%(users-1)))
	}
	var seen []int
	list, err := f.reconciler().Roster(t.Context(), func(read int) { seen = append(seen, read) })
	if err != nil || len(list) != users+1 || len(seen) != users/50+1 || seen[0] != 50 || seen[len(seen)-1] != users+1 {
		t.Errorf("%d users, %v; progress %v", len(list), err, seen)
	}
	left := map[reconcile.Reason]int{}
	for _, e := range list {
		left[e.Reason]++
	}
	if diff := cmp.Diff(map[reconcile.Reason]int{"": users - 2, reconcile.IsAdministrator: 1, reconcile.SharesAddress: 2}, left); diff != "" {
		t.Error(diff)
	}
}

// onPage matches requests for the page from offset on.
func onPage(offset int) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/users/details") && r.URL.Query().Get("offset") == fmt.Sprint(offset)
	}
}

func TestRoster_SurvivesShortFailures(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for i := range 120 {
		f.cloud.AddUser(fmt.Sprintf("user%d", i), "x", "")
	}
	r := f.reconciler()
	reconcile.PausePages(r, 0, 0)
	badGateway := nextcloudtest.Answer(http.StatusBadGateway, "text/html", "<h1>Bad gateway</h1>", 0)
	f.cloud.Fail(nextcloudtest.Times(2, badGateway, onPage(50)))
	if list := f.roster(r); len(list) != 121 {
		t.Errorf("%d users", len(list))
	}

	f.cloud.Fail(nextcloudtest.Times(3, badGateway, onPage(100)))
	_, err := r.Roster(t.Context(), func(int) {})
	if !errors.Is(err, ocs.ErrUnavailable) || !strings.HasPrefix(fmt.Sprint(err), "after 100 users of Nextcloud: ") {
		t.Errorf("got %v", err)
	}
	if _, err := r.Roster(t.Context(), func(int) {}); !errors.Is(err, reconcile.ErrBlocked) {
		t.Errorf("while the circuit breaker is open: %v", err)
	}
	f.advance(time.Hour)
	if list := f.roster(r); len(list) != 121 {
		t.Errorf("later: %d users", len(list))
	}
}
