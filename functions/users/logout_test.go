package users_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestLogout_ByAnAdministrator checks what ends and what stays when an administrator
// logs a user out.
func TestLogout_ByAnAdministrator(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud := functionstest.NewWithNextcloud(t, db, nil)
		id, phone := g.Person()
		laptop := g.Login(functionstest.Email, functionstest.Password)
		rootID, root := g.Admin("root@example.org")
		if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		app := func() string {
			p := g.Login(functionstest.Email, functionstest.Password)
			return g.Do("POST", mePath+"/nextcloud/app-password", map[string]string{"name": "x", "password": functionstest.Password},
				functionstest.Bearer(p.Access)).Want(http.StatusCreated, "").Get("id")
		}
		apps := func() int {
			if _, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
			u, _ := cloud.User(functionstest.Email)
			return len(u.AppPasswords) - 1 // the gateway's own
		}
		app()
		admin, at := functionstest.Bearer(root.Access), usersPath+"/"+string(id)+"/logout"

		g.Do("POST", at, `{"keep_app_passwords":true}`, admin).Want(http.StatusNoContent, "")
		for _, p := range []functionstest.Pair{phone, laptop} {
			g.Do("GET", mePath, nil, functionstest.Bearer(p.Access)).Want(http.StatusUnauthorized, "login_revoked")
			g.Do("POST", "/api/auth/refresh", map[string]string{"refresh_token": p.Refresh}).Want(http.StatusUnauthorized, "login_revoked")
		}
		if n := apps(); n != 1 {
			t.Errorf("%d app passwords are left, want the one to keep", n)
		}
		g.Do("POST", at, nil, admin).Want(http.StatusNoContent, "") // only the app password is left to end
		if n := apps(); n != 0 {
			t.Errorf("%d app passwords are left, want none", n)
		}
		g.Do("POST", at, nil, admin).Want(http.StatusNoContent, "") // nothing is left
		g.Login(functionstest.Email, functionstest.Password)
		g.Do("GET", mePath, nil, admin).Want(http.StatusOK, "")

		for _, unknown := range []string{string(account.NewID()), "x"} {
			g.Do("POST", usersPath+"/"+unknown+"/logout", nil, admin).Want(http.StatusNotFound, "not_found")
		}
		events, err := db.AuditEvents(t.Context(), store.AuditFilter{User: id, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			if e.Actor != "" {
				got = append(got, string(e.Name)+" "+e.Detail)
			}
			if e.Actor != "" && e.Actor != rootID {
				t.Errorf("%s: got actor %s, want %s", e.Name, e.Actor, rootID)
			}
		}
		want := []string{string(audit.AppRevoked) + " all", string(audit.LoggedOutAll) + " ", string(audit.LoggedOutAll) + " "} // newest first
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		g.Do("POST", usersPath+"/"+string(rootID)+"/logout", nil, admin).Want(http.StatusNoContent, "")
		g.Do("GET", mePath, nil, admin).Want(http.StatusUnauthorized, "login_revoked")
	})
}
