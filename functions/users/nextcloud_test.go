package users_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestChanges_ReachNextcloud changes everything about an account that exists in Nextcloud,
// and checks the result there.
func TestChanges_ReachNextcloud(t *testing.T) {
	t.Parallel()
	g, cloud := functionstest.NewWithNextcloud(t, storetest.SQLite(t), nil)
	id, p := g.Person()
	ada := functionstest.Bearer(p.Access)
	_, root := g.Admin("root@example.org")
	admin := functionstest.Bearer(root.Access)
	synced := func() nextcloudtest.User {
		t.Helper()
		if res, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil || res.Failed > 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		u, ok := cloud.User(functionstest.Email)
		if !ok {
			t.Fatal("account not found")
		}
		return u
	}
	if u := synced(); !u.Enabled || u.Email != functionstest.Email {
		t.Errorf("after registration: %+v", u)
	}

	const fresh = "an entirely new passphrase"
	g.Do("PATCH", mePath, `{"full_name":"Ada King","email":"countess@example.org","current_password":"`+functionstest.Password+`"}`, ada).
		Want(http.StatusOK, "")
	if u := synced(); u.Email != "countess@example.org" || u.DisplayName != "Ada King" {
		t.Errorf("after the change: %+v", u)
	}
	g.Do("POST", "/api/users/change-password", map[string]string{
		"old_password": functionstest.Password, "new_password": fresh,
	}, ada).Want(http.StatusOK, "")
	if synced(); !cloud.ValidCredentials(functionstest.Email, fresh) || cloud.ValidCredentials(functionstest.Email, functionstest.Password) {
		t.Error("the new password does not work in Nextcloud, or the old one still does")
	}

	at := usersPath + "/" + string(id)
	g.Do("PATCH", at, `{"disabled":true}`, admin).Want(http.StatusOK, "")
	if synced().Enabled {
		t.Error("the account of a disabled user is enabled")
	}
	g.Do("PATCH", at, `{"disabled":false}`, admin).Want(http.StatusOK, "")
	if !synced().Enabled {
		t.Error("the account of an enabled user is disabled")
	}
	g.Do("DELETE", at, nil, admin).Want(http.StatusNoContent, "")
	if synced().Enabled {
		t.Error("the account of a deleted user is enabled")
	}
}

// TestQuota_SetByAdministrators changes a quota, and checks what each user sees of it
// and what Nextcloud has.
func TestQuota_SetByAdministrators(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud := functionstest.NewWithNextcloud(t, db, nil)
		_, root := g.Admin("root@example.org")
		admin := functionstest.Bearer(root.Access)
		id, p := g.Person()
		ada, at := functionstest.Bearer(p.Access), usersPath+"/"+string(id)
		listed := func() (q struct {
			Setting, Wanted, Found string
			Differs                bool
		}) {
			t.Helper()
			var list []struct{ Quota json.RawMessage }
			g.Do("GET", "/api/nextcloud/accounts?limit=1", nil, admin).Want(http.StatusOK, "").Into(&list)
			if err := json.Unmarshal(list[0].Quota, &q); err != nil {
				t.Fatal(err)
			}
			return q
		}
		set := func(quota, setting, wanted string) {
			t.Helper()
			g.Do("PATCH", at, `{"nextcloud_quota":`+quota+`}`, admin).Want(http.StatusOK, "")
			if q := listed(); q.Setting != setting || q.Wanted != wanted {
				t.Errorf("%s: listed as %+v", quota, q)
			}
			if res, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil || res.Failed > 0 {
				t.Fatalf("%+v, %v", res, err)
			}
		}
		set(`"20 GB"`, "20 GB", "20 GB") // before the account exists
		if u, _ := cloud.User(functionstest.Email); u.Quota != "20 GB" {
			t.Errorf("after the first change: got %+v", u)
		}
		cloud.SetUsed(functionstest.Email, 3<<20)
		set(`"2048 MB"`, "2 GB", "2 GB")
		set(`"1 MB"`, "1 MB", "1 MB") // less than the account uses
		mine := g.Do("GET", "/api/users/me/nextcloud", nil, ada).Want(http.StatusOK, "")
		if mine.Get("quota", "available") != "0" || mine.Get("quota", "total") != "1048576" {
			t.Errorf("owner: got %s", mine.Body)
		}
		set(`"none"`, "none", "none")
		cloud.Set(functionstest.Email, "quota", "7 GB")
		if _, err := g.Reconciler.Compare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if q := listed(); q.Found != "7 GB" || !q.Differs {
			t.Errorf("changed in Nextcloud: listed as %+v", q)
		}
		set(`"keep"`, "keep", "")
		if u, _ := cloud.User(functionstest.Email); u.Quota != "7 GB" {
			t.Errorf("the quota was not kept: %+v", u)
		}
		set(`null`, "default", "5 GB")
		set(`"default"`, "default", "5 GB")
		if u, _ := cloud.User(functionstest.Email); u.Quota != "5 GB" {
			t.Errorf("default restored: got %+v", u)
		}

		for _, wrong := range []string{`"5GiB"`, `"5GB"`, `"lots"`, `""`, `"-1 GB"`, `5`} {
			if got := g.Do("PATCH", at, `{"nextcloud_quota":`+wrong+`}`, admin).Want(http.StatusUnprocessableEntity, "validation_failed"); !strings.Contains(got.Body, "nextcloud_quota") {
				t.Errorf("%s: %s", wrong, got.Body)
			}
		}
		g.Do("PATCH", at, `{"nextcloud_quota":"1 GB"}`, ada).Want(http.StatusForbidden, "admin_required")
		g.Do("PATCH", mePath, `{"nextcloud_quota":"1 GB"}`, ada).Want(http.StatusUnprocessableEntity, "validation_failed")
		events, err := db.AuditEvents(t.Context(), store.AuditFilter{Names: []audit.Name{audit.QuotaChanged}, Since: time.Unix(0, 0), Limit: 100})
		if err != nil || len(events) != 7 {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}

// TestQuota_ConcurrentAdministrators expects both changes in the trail, and the desired
// state to be one of them.
func TestQuota_ConcurrentAdministrators(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.NewWith(t, db, map[string]string{
			"NEXTCLOUD_URL": "http://127.0.0.1:1", "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": "x",
		})
		_, first := g.Admin("root@example.org")
		_, second := g.Admin("boss@example.org")
		id, _ := g.Person()
		var both sync.WaitGroup
		for quota, by := range map[string]string{"1 GB": first.Access, "2 GB": second.Access} {
			both.Go(func() {
				g.Do("PATCH", usersPath+"/"+string(id), `{"nextcloud_quota":"`+quota+`"}`, functionstest.Bearer(by)).Want(http.StatusOK, "")
			})
		}
		both.Wait()
		n, err := db.NextcloudAccount(t.Context(), id)
		if err != nil || n.QuotaOverride != "1 GB" && n.QuotaOverride != "2 GB" || n.Version != 3 {
			t.Errorf("got row %+v, %v", n, err)
		}
		events, err := db.AuditEvents(t.Context(), store.AuditFilter{Names: []audit.Name{audit.QuotaChanged}, Since: time.Unix(0, 0), Limit: 100})
		if err != nil || len(events) != 2 || events[0].Actor == events[1].Actor {
			t.Errorf("%+v, %v", events, err)
		}
	})
}

func TestQuota_WithoutANextcloud(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	_, root := g.Admin("root@example.org")
	id, _ := g.Person()
	admin, at := functionstest.Bearer(root.Access), usersPath+"/"+string(id)
	g.Do("PATCH", at, `{"nextcloud_quota":"1 GB","full_name":"Somebody"}`, admin).Want(http.StatusConflict, "nextcloud_disabled")
	if name := g.Do("GET", at, nil, admin).Get("full_name"); name == "Somebody" {
		t.Error("the change was partly applied")
	}
	g.Do("PATCH", usersPath+"/"+string(account.NewID()), `{"nextcloud_quota":"1 GB"}`, admin).Want(http.StatusNotFound, "not_found")
}
