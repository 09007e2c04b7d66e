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
	dead := func(t *testing.T) (*world, account.Account, []secret.String) {
		t.Helper()
		w := newWorld(t, storetest.SQLite(t), nil)
		a := w.register("ada@example.org")
		w.batch(w.reconciler())
		made := w.issue(a, adasPassword, 12)
		w.cloud.SetPassword("ada@example.org", theirs)
		w.advance(10 * time.Minute)
		return w, a, made
	}
	t.Run("at the next password change", func(t *testing.T) {
		t.Parallel()
		w, a, made := dead(t)
		w.withdraw(a, freshPassword)
		w.batch(w.reconciler())
		w.settled(a, freshPassword)
		w.revoked(a, made, freshPassword)
		if n := w.cloud.FailedLogins(); n > 0 {
			t.Errorf("%d failed logins remain", n)
		}
	})
	t.Run("at the next login", func(t *testing.T) {
		t.Parallel()
		w, a, made := dead(t)
		w.withdraw(a, "")
		r := w.reconciler()
		for range 20 {
			w.batch(r)
			w.advance(10 * time.Minute)
		}
		if n := w.cloud.FailedLogins(); n > 9 { // eleven lock out all clients
			t.Errorf("%d failed logins", n)
		}
		if err := w.recorder.SupplyPassword(t.Context(), w.db, a.ID, "hash", adasPassword, w.time()); err != nil {
			t.Fatal(err)
		}
		w.batch(r)
		w.settled(a, adasPassword)
		w.revoked(a, made, adasPassword)
		if got := w.revocations(a); got != "" {
			t.Errorf("revocations left: %s", got)
		}
	})
}

// Revocations, of one app password or of all, are refused while the app passwords are invalid.
// Creating another one is a login, which revives them.
func TestReconciler_RevokesAppPasswordsRevivedByAnother(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		w.cloud.SetKeepTokens(true) // so that the gateway's own stays valid
		a := w.register("ada@example.org")
		r := w.reconciler()
		w.batch(r)
		w.cloud.SetKeepTokens(false)
		made := w.issue(a, adasPassword, 2)
		w.cloud.SetPassword("ada@example.org", "set by Nextcloud's administrator")
		w.advance(10 * time.Minute)
		apps := w.appPasswords()
		held, err := apps.List(t.Context(), a.ID)
		if err == nil {
			err = apps.Revoke(t.Context(), held[0].ID, audit.New(audit.AppRevoked, a.ID, audit.Origin{}, w.time()))
		}
		if err != nil {
			t.Fatal(err)
		}
		w.withdraw(a, "")
		w.batch(r)
		if got := w.revocations(a); got != "refused refused" {
			t.Fatalf("got revocations %q", got)
		}
		w.cloud.SetPassword("ada@example.org", adasPassword)
		w.issue(a, adasPassword, 1)
		if !w.cloud.Opens("ada@example.org", made[0]) {
			t.Fatal("the login revived nothing")
		}
		w.batch(r)
		w.revoked(a, made, adasPassword)
		if got := w.revocations(a); got != "" {
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
				w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": sync})
				a := w.register("ada@example.org")
				r := w.reconciler()
				w.batch(r)
				w.issue(a, adasPassword, desired.MaxAppPasswords)
				w.cloud.RevokeAll("ada@example.org")
				w.withdraw(a, plain)
				most := 0
				reconcile.OnTrace(r, func(string) { most = max(most, w.cloud.FailedLogins()) })
				for range 3 {
					w.batch(r)
					w.advance(time.Minute)
				}
				if most > 4 {
					t.Errorf("up to %d failed logins at a time", most)
				}
				if got := w.revocations(a); (sync == "false" || plain != "") && got != "" {
					t.Errorf("revocations left: %s", got)
				}
			})
		}
	}
}

// A recreated account has none of the app passwords of the previous one.
func TestReconciler_RevokesNothingOfAMissingAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	w.issue(a, adasPassword, 3)
	w.withdraw(a, "")
	w.cloud.RemoveUser("ada@example.org")
	w.batch(r)
	w.batch(r)
	if got := w.revocations(a); got != "" || w.cloud.FailedLogins() > 0 {
		t.Errorf("revocations left: %q, %d failed logins", got, w.cloud.FailedLogins())
	}
}
