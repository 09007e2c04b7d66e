package users_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestChanges_ReachNextcloud changes everything about an account that Nextcloud
// knows, and looks there.
func TestChanges_ReachNextcloud(t *testing.T) {
	t.Parallel()
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminPassword: functionstest.Password})
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	g := functionstest.NewWith(t, storetest.SQLite(t), map[string]string{
		"NEXTCLOUD_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": functionstest.Password,
	})
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
			t.Fatal("there is no account")
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
	if synced(); !cloud.Opens(functionstest.Email, fresh) || cloud.Opens(functionstest.Email, functionstest.Password) {
		t.Error("the new password does not open Nextcloud, or the old one still does")
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
