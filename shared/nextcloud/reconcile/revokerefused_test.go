package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// After Nextcloud's administrator sets another password, app passwords are invalid until the
// next login with it.
func TestReconciler_RevokesRevivedAppPasswords(t *testing.T) {
	t.Parallel()
	const theirs = secret.String("set by Nextcloud's administrator")
	dead := func(t *testing.T) (*fixture, account.Account, []secret.String) {
		t.Helper()
		f := newFixture(t, storetest.SQLite(t), nil)
		a := f.register("ada@example.org")
		f.batch(f.reconciler())
		made := f.issue(a, adasPassword, 12)
		f.cloud.SetPassword("ada@example.org", theirs)
		f.advance(10 * time.Minute)
		return f, a, made
	}
	t.Run("at the next password change", func(t *testing.T) {
		t.Parallel()
		f, a, made := dead(t)
		f.withdraw(a, freshPassword)
		f.batch(f.reconciler())
		f.settled(a, freshPassword)
		f.revoked(a, made, freshPassword)
		if n := f.cloud.FailedLogins(); n > 0 {
			t.Errorf("%d failed logins remain", n)
		}
	})
	t.Run("at the next login", func(t *testing.T) {
		t.Parallel()
		f, a, made := dead(t)
		f.withdraw(a, "")
		r := f.reconciler()
		for range 20 {
			f.batch(r)
			f.advance(10 * time.Minute)
		}
		if n := f.cloud.FailedLogins(); n > 9 { // eleven lock out all clients
			t.Errorf("%d failed logins", n)
		}
		if err := f.recorder.SupplyPassword(t.Context(), f.db, a.ID, "hash", adasPassword, f.time()); err != nil {
			t.Fatal(err)
		}
		f.batch(r)
		f.settled(a, adasPassword)
		f.revoked(a, made, adasPassword)
		if got := f.revocations(a); got != "" {
			t.Errorf("revocations left: %s", got)
		}
	})
}

// Revocations, of one app password or of all, are refused while the app passwords are invalid.
// Creating another one is a login, which revives them.
func TestReconciler_RevokesAppPasswordsRevivedByAnother(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		f.cloud.SetKeepTokens(true) // so that the gateway's own stays valid
		a := f.register("ada@example.org")
		r := f.reconciler()
		f.batch(r)
		f.cloud.SetKeepTokens(false)
		made := f.issue(a, adasPassword, 2)
		f.cloud.SetPassword("ada@example.org", "set by Nextcloud's administrator")
		f.advance(10 * time.Minute)
		apps := f.appPasswords()
		held, err := apps.List(t.Context(), a.ID)
		if err == nil {
			err = apps.Revoke(t.Context(), held[0].ID, audit.New(audit.AppRevoked, a.ID, audit.Origin{}, f.time()))
		}
		if err != nil {
			t.Fatal(err)
		}
		f.withdraw(a, "")
		f.batch(r)
		if got := f.revocations(a); got != "refused refused" {
			t.Fatalf("got revocations %q", got)
		}
		f.cloud.SetPassword("ada@example.org", adasPassword)
		f.issue(a, adasPassword, 1)
		if !f.cloud.ValidCredentials("ada@example.org", made[0]) {
			t.Fatal("the login revived nothing")
		}
		f.batch(r)
		f.revoked(a, made, adasPassword)
		if got := f.revocations(a); got != "" {
			t.Errorf("revocations left: %s", got)
		}
	})
}

// A user who cleared the list of devices in Nextcloud left nothing to revoke, and every
// attempt counts as a failed login.
func TestReconciler_RemovedAppPasswordsCauseNoLockout(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"true", "false"} {
		for _, plain := range []secret.String{freshPassword, ""} {
			t.Run(fmt.Sprintf("sync %s, new password %t", sync, plain != ""), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": sync})
				a := f.register("ada@example.org")
				r := f.reconciler()
				f.batch(r)
				f.issue(a, adasPassword, desired.MaxAppPasswords)
				f.cloud.RevokeAll("ada@example.org")
				f.withdraw(a, plain)
				most := 0
				reconcile.OnTrace(r, func(string) { most = max(most, f.cloud.FailedLogins()) })
				for range 3 {
					f.batch(r)
					f.advance(time.Minute)
				}
				if most > 4 {
					t.Errorf("up to %d failed logins at a time", most)
				}
				if got := f.revocations(a); (sync == "false" || plain != "") && got != "" {
					t.Errorf("revocations left: %s", got)
				}
			})
		}
	}
}

// A recreated account has none of the app passwords of the previous one.
func TestReconciler_RevokesNothingOfAMissingAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	f.issue(a, adasPassword, 3)
	f.withdraw(a, "")
	f.cloud.RemoveUser("ada@example.org")
	f.batch(r)
	f.batch(r)
	if got := f.revocations(a); got != "" || f.cloud.FailedLogins() > 0 {
		t.Errorf("revocations left: %q, %d failed logins", got, f.cloud.FailedLogins())
	}
}
