package ncprovision_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const (
	issuePath = "/api/users/me/nextcloud/app-password"
	appsPath  = "/api/users/me/nextcloud/app-passwords"
)

// gatewayWithNextcloud returns a gateway with a Nextcloud, and ada, whose account exists in both.
func gatewayWithNextcloud(t *testing.T, db *store.DB, sync string) (*functionstest.Gateway, *nextcloudtest.Server, functionstest.Option) {
	t.Helper()
	g, cloud := functionstest.NewWithNextcloud(t, db, map[string]string{
		"NEXTCLOUD_PUBLIC_URL": "https://cloud.example.org", "NEXTCLOUD_PASSWORD_SYNC": sync,
	})
	_, p := g.Person()
	reconcile(t, g)
	return g, cloud, functionstest.Bearer(p.Access)
}

func reconcile(t *testing.T, g *functionstest.Gateway) {
	t.Helper()
	if res, err := g.Reconciler.RunBatch(t.Context(), 10); err != nil || res.Failed > 0 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestAppPasswords(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud, ada := gatewayWithNextcloud(t, db, "true")
		got := g.Do("POST", issuePath, map[string]string{"name": "My phone", "password": functionstest.Password}, ada).
			Want(http.StatusCreated, "")
		secret, id := secret.String(got.Get("password")), got.Get("id")
		if !cloud.ValidCredentials(functionstest.Email, secret) || got.Get("user_id") != functionstest.Email ||
			got.Get("webdav_url") != "https://cloud.example.org/remote.php/dav/files/ada@example.org/" ||
			got.Header.Get("Location") != appsPath+"/"+id {
			t.Errorf("got %v %s", got.Header, got.Body)
		}
		if u, _ := cloud.User(functionstest.Email); strings.Join(u.AppPasswords, ", ") != "My phone, VoiceAssist gateway" {
			t.Errorf("got app passwords %q", u.AppPasswords)
		}
		list := g.Do("GET", appsPath, nil, ada).Want(http.StatusOK, "")
		var held []struct{ ID, Name string }
		list.Into(&held)
		if len(held) != 1 || held[0].ID != id || held[0].Name != "My phone" || strings.Contains(list.Body, secret.Reveal()) {
			t.Errorf("got %s", list.Body)
		}

		g.Register("bob@example.org", functionstest.Password)
		bob := functionstest.Bearer(g.Login("bob@example.org", functionstest.Password).Access)
		g.Do("DELETE", appsPath+"/"+id, nil, bob).Want(http.StatusNotFound, "not_found")
		g.Do("DELETE", appsPath+"/nonsense", nil, ada).Want(http.StatusNotFound, "not_found")
		if !cloud.ValidCredentials(functionstest.Email, secret) {
			t.Fatal("another user revoked the app password")
		}
		g.Do("DELETE", appsPath+"/"+id, nil, ada).Want(http.StatusNoContent, "")
		g.Do("DELETE", appsPath+"/"+id, nil, ada).Want(http.StatusNotFound, "not_found")
		if cloud.ValidCredentials(functionstest.Email, secret) {
			t.Error("a revoked app password still works")
		}
		if got := strings.TrimSpace(g.Do("GET", appsPath, nil, ada).Want(http.StatusOK, "").Body); got != "[]" {
			t.Errorf("got %s", got)
		}
		for _, shown := range []string{secret.Reveal(), functionstest.Password} {
			if strings.Contains(g.Log(), shown) {
				t.Error("the log contains a password")
			}
		}
		events, err := db.AuditOf(t.Context(), account.ID(g.Do("GET", "/api/users/me", nil, ada).Get("id")), 10)
		if err != nil || len(events) < 2 || events[0].Name != "app_password_revoked" || events[1].Name != "app_password_issued" {
			t.Errorf("got events %+v, %v", events, err)
		}
	})
}

// The gateway refuses what Nextcloud would have to refuse: each refusal there counts as a
// failed login for all clients.
func TestAppPasswords_RequireThePassword(t *testing.T) {
	t.Parallel()
	g, cloud, ada := gatewayWithNextcloud(t, storetest.SQLite(t), "true")
	failedLogins := cloud.FailedLogins()
	g.Do("POST", issuePath, `{"name":"x","password":"wrong"}`, ada).Want(http.StatusBadRequest, "incorrect_password")
	g.Do("POST", issuePath, `{"name":"x"}`, ada).Want(http.StatusUnprocessableEntity, "validation_failed")
	for _, name := range []string{"", " x", "ü", strings.Repeat("x", 101), "a\tb"} {
		g.Do("POST", issuePath, map[string]string{"name": name, "password": functionstest.Password}, ada).
			Want(http.StatusUnprocessableEntity, "validation_failed")
	}
	g.Do("POST", issuePath, `{"name":"x"}`).Want(http.StatusUnauthorized, "missing_token")
	if got := cloud.FailedLogins() - failedLogins; got != 0 {
		t.Errorf("got %d failed logins", got)
	}
	if u, _ := cloud.User(functionstest.Email); len(u.AppPasswords) != 1 {
		t.Errorf("got app passwords %q", u.AppPasswords)
	}

	// Another password is pending, so the gateway's password is not Nextcloud's.
	g.Do("POST", "/api/users/change-password", map[string]string{
		"old_password": functionstest.Password, "new_password": "an entirely new passphrase",
	}, ada).Want(http.StatusOK, "")
	g.Do("POST", issuePath, `{"name":"x","password":"an entirely new passphrase"}`, ada).
		Want(http.StatusConflict, "nextcloud_password_differs")
	reconcile(t, g)
	g.Do("POST", issuePath, `{"name":"x","password":"an entirely new passphrase"}`, ada).Want(http.StatusCreated, "")
}

// The gateway knows a valid password, but an access token alone creates no app password.
func TestAppPasswords_RequireThePasswordWithoutSync(t *testing.T) {
	t.Parallel()
	g, cloud, ada := gatewayWithNextcloud(t, storetest.SQLite(t), "false")
	g.Do("POST", issuePath, `{"name":"My phone"}`, ada).Want(http.StatusUnprocessableEntity, "validation_failed")
	g.Do("POST", issuePath, `{"name":"My phone","password":"wrong"}`, ada).Want(http.StatusBadRequest, "incorrect_password")
	if !cloud.ValidCredentials(functionstest.Email, phone(g, ada)) {
		t.Error("the app password does not work")
	}
}

func TestAppPasswords_Faults(t *testing.T) {
	t.Parallel()
	g, cloud, ada := gatewayWithNextcloud(t, storetest.SQLite(t), "true")
	body := map[string]string{"name": "My phone", "password": functionstest.Password}
	id := g.Do("POST", issuePath, body, ada).Want(http.StatusCreated, "").Get("id")
	for _, fault := range []nextcloudtest.Fault{nextcloudtest.Maintenance(), nextcloudtest.CutBefore(), nextcloudtest.Crash()} {
		cloud.Fail(func(*http.Request) nextcloudtest.Fault { return fault })
		if got := g.Do("POST", issuePath, body, ada).Want(http.StatusServiceUnavailable, "nextcloud_unavailable"); got.Header.Get("Retry-After") == "" {
			t.Error("Retry-After is missing")
		}
		g.Do("DELETE", appsPath+"/"+id, nil, ada).Want(http.StatusServiceUnavailable, "nextcloud_unavailable")
	}
	cloud.Fail(nil)
	cloud.RevokeAll(functionstest.Email) // the user cleared the list of devices
	g.Do("DELETE", appsPath+"/"+id, nil, ada).Want(http.StatusNoContent, "")

	none := functionstest.New(t, storetest.SQLite(t))
	_, p := none.Person()
	none.Do("POST", issuePath, body, functionstest.Bearer(p.Access)).Want(http.StatusConflict, "nextcloud_disabled")
	if got := strings.TrimSpace(none.Do("GET", appsPath, nil, functionstest.Bearer(p.Access)).Want(http.StatusOK, "").Body); got != "[]" {
		t.Errorf("got %s", got)
	}
}

func TestAppPasswords_AreLimited(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud, ada := gatewayWithNextcloud(t, db, "false")
		body := map[string]string{"name": "x", "password": functionstest.Password}
		for range desired.MaxAppPasswords {
			g.Do("POST", issuePath, body, ada).Want(http.StatusCreated, "")
		}
		g.Do("POST", issuePath, body, ada).Want(http.StatusConflict, "too_many_app_passwords")

		// Withdrawn app passwords count as long as they work in Nextcloud.
		g.Do("POST", "/api/auth/logout?all=true", nil, ada).Want(http.StatusNoContent, "")
		ada = functionstest.Bearer(g.Login(functionstest.Email, functionstest.Password).Access)
		if got := strings.TrimSpace(g.Do("GET", appsPath, nil, ada).Want(http.StatusOK, "").Body); got != "[]" {
			t.Errorf("withdrawn app passwords are listed: %s", got)
		}
		g.Do("POST", issuePath, body, ada).Want(http.StatusConflict, "too_many_app_passwords")
		reconcile(t, g)
		g.Do("POST", issuePath, body, ada).Want(http.StatusCreated, "")
		if u, _ := cloud.User(functionstest.Email); len(u.AppPasswords) != 2 { // the withdrawn one and the gateway's own
			t.Errorf("got app passwords %q", u.AppPasswords)
		}
	})
}

// TestAppPasswords_ConcurrentRequestsAreLimited sends more requests at once than app passwords
// are allowed.
func TestAppPasswords_ConcurrentRequestsAreLimited(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g, cloud, ada := gatewayWithNextcloud(t, db, "false")
		body := map[string]string{"name": "x", "password": functionstest.Password}
		for range desired.MaxAppPasswords - 2 {
			g.Do("POST", issuePath, body, ada).Want(http.StatusCreated, "")
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { g.Do("POST", issuePath, body, ada) })
		}
		wg.Wait()
		var held []struct{ ID string }
		g.Do("GET", appsPath, nil, ada).Into(&held)
		u, _ := cloud.User(functionstest.Email)
		if len(held) > desired.MaxAppPasswords || len(u.AppPasswords) != len(held)+1 {
			t.Errorf("%d are listed, Nextcloud has %d in addition to the gateway's own", len(held), len(u.AppPasswords)-1)
		}
	})
}

// TestAppPasswords_AcceptBothPasswordNames checks that errors use the name that was sent.
func TestAppPasswords_AcceptBothPasswordNames(t *testing.T) {
	t.Parallel()
	g, _, ada := gatewayWithNextcloud(t, storetest.SQLite(t), "true")
	for body, want := range map[string]string{
		`{"name":"x"}`:               `"field":"current_password","code":"required"`,
		`{"name":"x","password":""}`: `"field":"password","code":"required"`,
		`{"name":"x","password":"a","current_password":"b"}`: `"field":"password","code":"not_allowed"`,
	} {
		if a := g.Do("POST", issuePath, body, ada).Want(422, "validation_failed"); !strings.Contains(a.Body, want) {
			t.Errorf("%s: got %s, want %s", body, a.Body, want)
		}
	}
	g.Do("POST", issuePath, `{"name":"x","current_password":"wrong"}`, ada).Want(http.StatusBadRequest, "incorrect_password")
	for _, names := range []string{`"password":%q`, `"current_password":%q`, `"current_password":%[1]q,"password":%[1]q`} {
		body := `{"name":"x",` + fmt.Sprintf(names, functionstest.Password) + `}`
		g.Do("POST", issuePath, body, ada).Want(http.StatusCreated, "")
	}
}
