package reconcile_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestContract_ExistingAccounts claims and adopts accounts on a real Nextcloud, if the
// environment names one (make test-nextcloud).
func TestContract_ExistingAccounts(t *testing.T) {
	t.Parallel()
	if os.Getenv("NEXTCLOUD_CONTRACT") != "1" {
		return // the other tests do the same with nextcloudtest
	}
	env := map[string]string{}
	for _, name := range []string{"NEXTCLOUD_URL", "NEXTCLOUD_ADMIN_USER", "NEXTCLOUD_ADMIN_PASSWORD", "NEXTCLOUD_CA_FILE"} {
		env[name] = os.Getenv(name)
	}
	for name, by := range map[string]string{"with the password": "password", "with an app password": "app", "adopted first": "adopted"} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, storetest.SQLite(t), env)
			base, err := url.Parse(env["NEXTCLOUD_URL"])
			if err != nil {
				t.Fatal(err)
			}
			e := config.Map(env)
			cloud := ocs.New(ocs.Config{
				URL: base, AdminUser: env["NEXTCLOUD_ADMIN_USER"], AdminPassword: secret.String(env["NEXTCLOUD_ADMIN_PASSWORD"]),
				Roots: setting.Of[nextcloud.Server](e).Roots,
			})
			t.Cleanup(cloud.Close)
			const password = "va-from-before-7!x"
			id, address := "contract-claim-"+by, "contract-claim-"+by+"@example.org"
			if err := cloud.CreateUser(t.Context(), ocs.NewUser{ID: id, Password: password, Email: address, DisplayName: "Augusta", Quota: "1 GB"}); err != nil {
				t.Fatal(err)
			}
			defer cloud.DeleteUser(t.Context(), id)
			a := f.register(address)
			f.batch(f.reconciler())
			if n := f.known(a); n.Status != desired.Conflict || n.LastError != reconcile.EmailTaken || n.ConflictingID() != id {
				t.Fatalf("got row %+v", n)
			}
			if _, err := cloud.User(t.Context(), address); err == nil {
				t.Error("a second account was created")
			}
			proof := secret.String(password)
			if by == "app" {
				if proof, err = cloud.AppPassword(t.Context(), id, password); err != nil {
					t.Fatal(err)
				}
			}
			if by == "adopted" {
				n, err := f.adopt(a.ID, "")
				t.Logf("adopted: %s %s %s, %v", n.NextcloudID, n.Link, n.LastError, err)
			}
			r, login := f.reconciler(), f.proof(a)
			if _, err := f.claim(login, "a wrong guess"); err != nil {
				t.Logf("wrong password: %v", err)
			}
			n, err := r.Claim(t.Context(), login, proof, audit.New(audit.Claimed, a.ID, audit.Origin{}, f.time()))
			t.Logf("claimed: %s %s, %v", n.NextcloudID, n.Link, err)
			f.batch(r)
			n = f.known(a)
			u, err := cloud.User(t.Context(), id)
			t.Logf("finally: %s %s; Nextcloud: %s %s %v, %v", n.Status, n.LastError, u.Email, u.DisplayName, u.Quota, err)
			if n.Status != desired.Active || u.Email != address || u.DisplayName != "Augusta" || u.Quota != 1<<30 {
				t.Errorf("got row %+v, account %+v", n, u)
			}
			if _, err := cloud.Authenticate(t.Context(), id, password); err != nil {
				t.Errorf("password: %v", err)
			}
		})
	}
	t.Run("administrators", func(t *testing.T) {
		f := newFixture(t, storetest.SQLite(t), env)
		a := f.register("contract-admin@example.org")
		_, err := f.adopt(a.ID, env["NEXTCLOUD_ADMIN_USER"])
		f.wantCode("adopted", err, "not_adoptable")
	})
}
