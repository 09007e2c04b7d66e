package ncprovision_test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/functions/ncprovision"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const minePath = "/api/users/me/nextcloud"

func TestNextcloud_FromRegistrationToActive(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud := functionstest.NewWithNextcloud(t, db, map[string]string{
			"NEXTCLOUD_PUBLIC_URL": "https://cloud.example.org/nc",
		})
		_, p := g.Person()
		ada := functionstest.Bearer(p.Access)

		job := &ncprovision.Function{DB: g.DB, Now: g.Now}
		g.Advance(time.Minute)
		if waiting, err := job.Waiting(t.Context()); err != nil || waiting != time.Minute {
			t.Errorf("after a minute: got longest wait %v, %v", waiting, err)
		}
		before := g.Do("GET", minePath, nil, ada).Want(http.StatusOK, "")
		if before.Get("status") != "pending" || before.Get("user_id") != "" || before.Get("quota") != "" ||
			before.Get("url") != "https://cloud.example.org/nc" || before.Get("on_delete") != "disable" {
			t.Errorf("before: %s", before.Body)
		}
		_, root := g.Admin("root@example.org")
		admin := functionstest.Bearer(root.Access)
		g.Do("POST", "/api/nextcloud/reconcile", nil, ada).Want(http.StatusForbidden, "admin_required")
		done := g.Do("POST", "/api/nextcloud/reconcile", nil, admin).Want(http.StatusOK, "")
		if done.Body != `{"claimed":2,"succeeded":2,"failed":0,"remaining":0,"waits_for":null,"next_try_at":null}`+"\n" {
			t.Errorf("reconcile: %s", done.Body)
		}
		if waiting, err := job.Waiting(t.Context()); err != nil || waiting != 0 {
			t.Errorf("with nothing due: got longest wait %v, %v", waiting, err)
		}
		after := g.Do("GET", minePath, nil, ada).Want(http.StatusOK, "")
		for name, want := range map[string]string{
			"status": "active", "user_id": functionstest.Email, "last_error": "",
			"webdav_url": "https://cloud.example.org/nc/remote.php/dav/files/" + functionstest.Email + "/",
		} {
			if got := after.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if got := after.Get("quota", "total"); got != "5368709120" {
			t.Errorf("got quota %s, want 5 GiB", got)
		}
		if got := g.Do("GET", "/api/users/me", nil, ada).Get("nextcloud_user_id"); got != functionstest.Email {
			t.Errorf("got nextcloud_user_id %q", got)
		}
		if !cloud.ValidCredentials(functionstest.Email, functionstest.Password) {
			t.Error("the gateway's password does not work in Nextcloud")
		}
	})
}

func TestNextcloud_ReportsUsage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud := functionstest.NewWithNextcloud(t, db, nil)
		_, p := g.Person()
		asOf := ""
		used := func() string {
			got := g.Do("GET", minePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
			asOf = got.Get("quota", "as_of")
			return got.Get("quota", "used")
		}
		begun := time.Now()
		if _, err := g.Reconciler.RunBatch(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		cloud.SetUsed(functionstest.Email, 1<<20)
		if got := used(); got != "1048576" {
			t.Errorf("got used %s, want the current value of Nextcloud", got)
		}
		calls := len(cloud.Calls())
		cloud.SetUsed(functionstest.Email, 2<<20)
		if got := used(); got != "1048576" || len(cloud.Calls()) != calls {
			t.Errorf("second request within a minute: got %s after %d calls", got, len(cloud.Calls())-calls)
		}
		cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.Maintenance() })
		if got := used(); got != "1048576" {
			t.Errorf("Nextcloud in maintenance: got used %s, want the last known value", got)
		}
		if at, err := time.Parse(time.RFC3339, asOf); err != nil || at.Before(begun) || at.After(time.Now()) {
			t.Errorf("got numbers as of %s (%v), want a time after %v", asOf, err, begun)
		}
	})
}

func TestNextcloud_AdministratorsListAccountsOutOfSync(t *testing.T) {
	t.Parallel()
	g, cloud := functionstest.NewWithNextcloud(t, storetest.SQLite(t), nil)
	cloud.AddUser(functionstest.Email, "somebody else's", "")
	id, p := g.Person()
	_, root := g.Admin("root@example.org")
	admin := functionstest.Bearer(root.Access)
	job := &ncprovision.Function{DB: g.DB, Reconciler: g.Reconciler, Now: g.Now}
	if err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	mine := g.Do("GET", minePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
	if mine.Get("status") != "conflict" || mine.Get("user_id") != "" || mine.Get("last_error") != "id_taken" {
		t.Errorf("mine: %s", mine.Body)
	}
	var list []struct {
		UserID string `json:"user_id"`
		Status string
	}
	const accounts = "/api/nextcloud/accounts"
	g.Do("GET", accounts+"?status=conflict", nil, admin).Want(http.StatusOK, "").Into(&list)
	if len(list) != 1 || list[0].UserID != string(id) {
		t.Errorf("in conflict: %+v", list)
	}
	g.Do("GET", accounts, nil, admin).Want(http.StatusOK, "").Into(&list)
	if len(list) != 2 {
		t.Errorf("all: %+v", list)
	}
	g.Do("GET", accounts+"?status=lost", nil, admin).Want(422, "validation_failed")
	one := g.Do("GET", accounts+"/"+string(id), nil, admin).Want(http.StatusOK, "")
	if one.Get("user_id") != string(id) || one.Get("status") != "conflict" || one.Get("conflict_with") != functionstest.Email {
		t.Errorf("one: %s", one.Body)
	}
	g.Do("GET", accounts+"/"+string(id), nil, functionstest.Bearer(p.Access)).Want(http.StatusForbidden, "admin_required")
	g.Do("GET", accounts+"/x", nil, admin).Want(http.StatusNotFound, "not_found")
	g.Do("GET", accounts+"/019ce000-0000-7000-8000-000000000000", nil, admin).Want(http.StatusNotFound, "not_found")
	cloud.RemoveUser(functionstest.Email)
	g.Do("POST", accounts+"/"+string(id)+"/retry", nil, admin).Want(http.StatusOK, "")
	g.Do("POST", accounts+"/x/retry", nil, admin).Want(http.StatusNotFound, "not_found")
	g.Do("POST", accounts+"/019ce000-0000-7000-8000-000000000000/retry", nil, admin).Want(http.StatusNotFound, "not_found")
	if err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.Do("GET", minePath, nil, functionstest.Bearer(p.Access)).Get("status"); got != "active" {
		t.Errorf("after the retry: %s", got)
	}
}

func TestNextcloud_NotConfigured(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, root := g.Admin("root@example.org")
	admin := functionstest.Bearer(root.Access)
	if got := g.Do("GET", minePath, nil, admin).Want(http.StatusOK, ""); got.Get("status") != "pending" || got.Get("url") != "" || got.Get("on_delete") != "" {
		t.Errorf("got %s", got.Body)
	}
	g.Do("POST", "/api/nextcloud/reconcile", nil, admin).Want(http.StatusConflict, "nextcloud_disabled")
}

// TestRun_MaintainsTheAuditTrail covers Lambda, where nothing else maintains it.
func TestRun_MaintainsTheAuditTrail(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	g := functionstest.New(t, db)
	g.Person()
	ring, err := keyring.New(keyring.Generate())
	if err != nil {
		t.Fatal(err)
	}
	f := &ncprovision.Function{DB: db, Trail: trail.New(db, ring, 0, time.Now), Now: time.Now}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := f.Trail.Verify(t.Context(), audit.Link{})
	if err != nil || !r.OK || r.Events != 2 || r.Unchained != 0 {
		t.Errorf("got %+v, %v; want 2 chained events", r, err)
	}
}

// TestNextcloud_WaitsForInvitedUsers shows that nobody need look after such an account.
func TestNextcloud_WaitsForInvitedUsers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, _ := functionstest.NewWithNextcloud(t, db, nil)
		_, root := g.Admin("root@example.org")
		admin := functionstest.Bearer(root.Access)
		id := g.Do("POST", "/api/users/invite", `{"email":"ada@example.org"}`, admin).Want(http.StatusCreated, "").Get("id")
		got := g.Do("GET", "/api/nextcloud/accounts/"+id, nil, admin).Want(http.StatusOK, "")
		if got.Get("last_error") != "email_unverified" || got.Get("next_try_at") != "" || got.Get("status") != "pending" || got.Get("on_delete") != "disable" {
			t.Errorf("got %s", got.Body)
		}
	})
}

// TestNextcloud_ReportsWhatItWaitsFor has a Nextcloud that is down, and one that refuses the
// administrator.
func TestNextcloud_ReportsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	for word, spoil := range map[string]func(*nextcloudtest.Server){
		"nextcloud_unavailable": func(cloud *nextcloudtest.Server) { cloud.SetMaintenance(true) },
		"admin_refused":         func(cloud *nextcloudtest.Server) { cloud.SetPassword("admin", "another password") },
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				g, cloud := functionstest.NewWithNextcloud(t, db, nil)
				_, p := g.Person()
				_, root := g.Admin("root@example.org")
				admin := functionstest.Bearer(root.Access)
				spoil(cloud)
				done := g.Do("POST", "/api/nextcloud/reconcile", nil, admin).Want(http.StatusOK, "")
				until, err := time.Parse(time.RFC3339, done.Get("next_try_at"))
				if done.Get("claimed") != "0" || done.Get("remaining") != "2" || done.Get("waits_for") != word ||
					err != nil || until.Before(time.Now()) {
					t.Errorf("reconcile: %s", done.Body)
				}
				mine := g.Do("GET", minePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "")
				if mine.Get("last_error") != word || mine.Get("status") != "pending" {
					t.Errorf("mine: %s", mine.Body)
				}
				var list []struct {
					NextTryAt string `json:"next_try_at"`
					WaitsFor  string `json:"waits_for"`
				}
				g.Do("GET", "/api/nextcloud/accounts", nil, admin).Want(http.StatusOK, "").Into(&list)
				if len(list) != 2 || list[0] != list[1] || list[0].WaitsFor != word || list[0].NextTryAt != done.Get("next_try_at") {
					t.Errorf("listed: %+v", list)
				}
			})
		})
	}
}
