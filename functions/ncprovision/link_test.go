package ncprovision_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/functions/ncprovision"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const (
	claimPath  = minePath + "/claim"
	fromBefore = "a password from before"
)

// TestLink_FromConflictToActive has a Nextcloud account with the address of a user. The user
// learns what to do, but not who owns the account.
func TestLink_FromConflictToActive(t *testing.T) {
	t.Parallel()
	for name, inNextcloud := range map[string]struct{ id, email string }{
		"by its address": {"countess", functionstest.Email},
		"by its ID":      {functionstest.Email, "private@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				g, cloud := functionstest.NewWithNextcloud(t, db, nil)
				cloud.AddUser(inNextcloud.id, fromBefore, inNextcloud.email)
				id, p := g.Person()
				_, root := g.Admin("root@example.org")
				ada, admin := functionstest.Bearer(p.Access), functionstest.Bearer(root.Access)
				job := &ncprovision.Function{DB: g.DB, Reconciler: g.Reconciler, Now: g.Now}
				run := func() {
					t.Helper()
					if err := job.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				run()
				mine := g.Do("GET", minePath, nil, ada).Want(http.StatusOK, "")
				if mine.Get("status") != "conflict" || mine.Get("last_error") != "id_taken" || mine.Get("user_id") != "" ||
					!strings.Contains(mine.Get("detail"), claimPath) || strings.Contains(mine.Body, "countess") || strings.Contains(mine.Body, "private") {
					t.Errorf("mine: %s", mine.Body)
				}
				var list []struct {
					Conflict string `json:"conflict_with"`
					Detail   string
				}
				const accounts = "/api/nextcloud/accounts"
				g.Do("GET", accounts+"?status=conflict", nil, admin).Want(http.StatusOK, "").Into(&list)
				if len(list) != 1 || list[0].Conflict != inNextcloud.id || !strings.Contains(list[0].Detail, inNextcloud.id) {
					t.Errorf("in conflict: %+v", list)
				}

				g.Do("POST", claimPath, nil, ada).Want(http.StatusUnprocessableEntity, "validation_failed")
				g.Do("POST", claimPath, map[string]string{"password": strings.Repeat("x", 470)}, ada).Want(http.StatusUnprocessableEntity, "validation_failed")
				g.Do("POST", claimPath, map[string]string{"password": fromBefore}).Want(http.StatusUnauthorized, "missing_token")
				g.Do("POST", claimPath, map[string]string{"password": fromBefore}, admin).Want(http.StatusConflict, "nothing_to_claim")
				g.Do("POST", claimPath, map[string]string{"password": "a guess"}, ada).Want(http.StatusConflict, "wrong_nextcloud_password")

				adopt := accounts + "/" + string(id) + "/adopt"
				g.Do("POST", adopt, nil, ada).Want(http.StatusForbidden, "admin_required")
				g.Do("POST", accounts+"/019ce000-0000-7000-8000-000000000000/adopt", nil, admin).Want(http.StatusNotFound, "not_found")
				g.Do("POST", adopt, map[string]string{"nextcloud_user_id": "admin"}, admin).Want(http.StatusConflict, "not_adoptable")
				adopted := g.Do("POST", adopt, nil, admin).Want(http.StatusOK, "")
				if adopted.Get("link") != "adopted" || adopted.Get("nextcloud_user_id") != inNextcloud.id {
					t.Errorf("adopted: %s", adopted.Body)
				}
				run()
				if mine := g.Do("GET", minePath, nil, ada); mine.Get("last_error") != "claim_required" || strings.Contains(mine.Body, "countess") {
					t.Errorf("adopted, mine: %s", mine.Body)
				}
				claimed := g.Do("POST", claimPath, map[string]string{"password": fromBefore}, ada).Want(http.StatusOK, "")
				if claimed.Get("on_delete") != "keep" || claimed.Get("status") != "pending" || claimed.Get("user_id") != inNextcloud.id || claimed.Get("detail") != "" {
					t.Errorf("claimed: %s", claimed.Body)
				}
				run()
				if mine := g.Do("GET", minePath, nil, ada); mine.Get("status") != "active" || mine.Get("user_id") != inNextcloud.id {
					t.Errorf("finally: %s", mine.Body)
				}
				if u, _ := cloud.User(inNextcloud.id); u.Email != inNextcloud.email || !cloud.ValidCredentials(inNextcloud.id, fromBefore) {
					t.Errorf("the account was changed: %+v", u)
				}
			})
		})
	}
}

func TestLink_WithoutANextcloud(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	id, _ := g.Person()
	_, root := g.Admin("root@example.org")
	admin := functionstest.Bearer(root.Access)
	g.Do("POST", claimPath, map[string]string{"password": "x"}, admin).Want(http.StatusConflict, "nextcloud_disabled")
	g.Do("POST", "/api/nextcloud/accounts/"+string(id)+"/adopt", nil, admin).Want(http.StatusConflict, "nextcloud_disabled")
}

// TestLink_WaitsForADeletion registers an address again while its old account still waits for
// deletion in Nextcloud.
func TestLink_WaitsForADeletion(t *testing.T) {
	t.Parallel()
	g, cloud := functionstest.NewWithNextcloud(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	g.Advance(time.Since(g.Now())) // the reconciler uses the real clock
	_, root := g.Admin("root@example.org")
	_, p := g.Person()
	if got := g.Do("GET", minePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "").Get("on_delete"); got != "delete" {
		t.Errorf("the user is told %q about a deletion, want delete", got)
	}
	reconcile(t, g)
	cloud.Fail(nextcloudtest.Times(100, nextcloudtest.Maintenance(), nextcloudtest.On(http.MethodDelete, "")))
	g.Do("DELETE", "/api/users/me", map[string]string{"password": functionstest.Password}, functionstest.Bearer(p.Access)).
		Want(http.StatusNoContent, "")
	again := g.Register(functionstest.Email, functionstest.Password)
	if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	var list []struct {
		UserID string `json:"user_id"`
		Status string
		Error  string `json:"last_error"`
		Detail string
	}
	g.Do("GET", "/api/nextcloud/accounts", nil, functionstest.Bearer(root.Access)).Want(http.StatusOK, "").Into(&list)
	for _, n := range list {
		if n.UserID == string(again) && n.Status == "pending" && n.Error == "email_taken" && strings.Contains(n.Detail, "retries this account") {
			return
		}
	}
	t.Errorf("no reason listed why %s waits: %+v", again, list)
}
