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

// After the administrator of Nextcloud sets another password, app passwords are
// dead, and come alive when somebody signs in with it.
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
	t.Run("at the next change of password", func(t *testing.T) {
		t.Parallel()
		w, a, made := dead(t)
		w.takeBack(a, freshPassword)
		w.batch(w.reconciler())
		w.settled(a, freshPassword)
		w.worthless(a, made, freshPassword)
		if n := w.cloud.Strikes(); n > 0 {
			t.Errorf("%d strikes are left", n)
		}
	})
	t.Run("at the next login", func(t *testing.T) {
		t.Parallel()
		w, a, made := dead(t)
		w.takeBack(a, "")
		r := w.reconciler()
		for range 20 {
			w.batch(r)
			w.advance(10 * time.Minute)
		}
		if n := w.cloud.Strikes(); n > 9 { // eleven lock everybody out
			t.Errorf("%d strikes", n)
		}
		if err := w.recorder.SupplyPassword(t.Context(), w.db, a.ID, "hash", adasPassword, w.time()); err != nil {
			t.Fatal(err)
		}
		w.batch(r)
		w.settled(a, adasPassword)
		w.worthless(a, made, adasPassword)
		if got := w.waiting(a); got != "" {
			t.Errorf("still %s", got)
		}
	})
}

// One that the user revokes, and one of all, are refused while they are dead; to
// make another app password is a sign-in.
func TestReconciler_RevokesAppPasswordsRevivedByAnother(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		w.cloud.SetKeepTokens(true) // so that the gateway's own survives
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
		w.takeBack(a, "")
		w.batch(r)
		if got := w.waiting(a); got != "refused refused" {
			t.Fatalf("the revocations are %q", got)
		}
		w.cloud.SetPassword("ada@example.org", adasPassword)
		w.issue(a, adasPassword, 1)
		if !w.cloud.Opens("ada@example.org", made[0]) {
			t.Fatal("the sign-in revived nothing")
		}
		w.batch(r)
		w.worthless(a, made, adasPassword)
		if got := w.waiting(a); got != "" {
			t.Errorf("still %s", got)
		}
	})
}

// Whoever cleared the list of devices at Nextcloud left nothing to revoke, and
// every try at that is a strike.
func TestReconciler_RemovedAppPasswordsCauseNoLockout(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"true", "false"} {
		for _, plain := range []secret.String{freshPassword, ""} {
			t.Run(fmt.Sprintf("sync %s, a new password: %t", sync, plain != ""), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": sync})
				a := w.register("ada@example.org")
				r := w.reconciler()
				w.batch(r)
				w.issue(a, adasPassword, desired.MaxAppPasswords)
				w.cloud.RevokeAll("ada@example.org")
				w.takeBack(a, plain)
				most := 0
				reconcile.OnTrace(r, func(string) { most = max(most, w.cloud.Strikes()) })
				for range 3 {
					w.batch(r)
					w.advance(time.Minute)
				}
				if most > 4 {
					t.Errorf("%d strikes at a time", most)
				}
				if got := w.waiting(a); (sync == "false" || plain != "") && got != "" {
					t.Errorf("still wanted: %s", got)
				}
			})
		}
	}
}

// An account that is made again has none of the app passwords of the one before.
func TestReconciler_RevokesNothingOfAMissingAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	w.issue(a, adasPassword, 3)
	w.takeBack(a, "")
	w.cloud.RemoveUser("ada@example.org")
	w.batch(r)
	w.batch(r)
	if got := w.waiting(a); got != "" || w.cloud.Strikes() > 0 {
		t.Errorf("still wanted: %q, %d strikes", got, w.cloud.Strikes())
	}
}
