package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestReconciler_TakenAddressIsAConflict covers Nextcloud's login by address, which works only
// if exactly one account has the address.
func TestReconciler_TakenAddressIsAConflict(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"same case": "ada@example.org", "other case": "Ada@EXAMPLE.org",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db, nil)
				w.cloud.AddUser("countess", "her own password", address)
				a := w.register("ada@example.org")
				w.batch(w.reconciler())
				if n := w.known(a); n.Status != desired.Conflict || n.Owned || n.DueAt != nil {
					t.Errorf("got row %+v", n)
				}
				if users := w.cloud.Users(); len(users) != 2 {
					t.Errorf("a second account has the address: %+v", users)
				}
				if !w.cloud.Opens("ada@example.org", "her own password") {
					t.Error("the first account's login by address no longer works")
				}
			})
		})
	}
}

func TestReconciler_OwnAddressAfterACrashIsNoConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	w.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.CutAfter(), nextcloudtest.On(http.MethodPost, "")))
	w.batch(w.reconciler())
	w.advance(time.Hour)
	w.batch(w.reconciler())
	w.settled(a, adasPassword)
}

func TestReconciler_SimilarAddressIsNoConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	for i := range 60 {
		w.cloud.AddUser(fmt.Sprint("user", i), "a password of theirs", fmt.Sprintf("x%d.ada@example.org", i))
	}
	a := w.register("ada@example.org")
	w.batch(w.reconciler())
	if n := w.known(a); n.Status != desired.Active {
		t.Errorf("got row %+v", n)
	}
}

// TestReconciler_FetchesABoundedNumberOfAccounts has more accounts match the search than the
// reconciler examines.
func TestReconciler_FetchesABoundedNumberOfAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	for i := range 300 {
		w.cloud.AddUser(fmt.Sprint("user", i), "a password of theirs", fmt.Sprintf("x%d.ada@example.org", i))
	}
	a := w.register("ada@example.org")
	w.batch(w.reconciler())
	if n := w.known(a); n.Status != desired.Failed || n.LastError != reconcile.EmailAmbiguous || n.DueAt != nil {
		t.Errorf("got row %+v", n)
	}
	if _, there := w.cloud.User("ada@example.org"); there {
		t.Error("an account was created without knowing the owner of the address")
	}
	if n := len(w.cloud.Calls()); n > 8 {
		t.Errorf("got %d calls", n)
	}
}

// TestReconciler_ChangeToATakenAddressIsRefused changes an address to one that another account
// has in Nextcloud.
func TestReconciler_ChangeToATakenAddressIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	w.cloud.AddUser("charles", "his own password", "charles@example.org")
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	a.Email = "charles@example.org"
	w.changed(a)
	w.batch(r)
	if n := w.known(a); n.Status != desired.Active || n.LastError != reconcile.EmailTaken {
		t.Errorf("got row %+v", n)
	}
	if u, _ := w.cloud.User("ada@example.org"); u.Email != "ada@example.org" {
		t.Errorf("got address %s", u.Email)
	}
	if !w.cloud.Opens("charles@example.org", "his own password") {
		t.Error("the other account's login by address no longer works")
	}
}

// TestReconciler_DeletedUsersReleaseTheirAddress registers an address again.
func TestReconciler_DeletedUsersReleaseTheirAddress(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]desired.Status{
		"disable": desired.Active,   // the disabled account cannot log in
		"delete":  desired.Active,   //
		"keep":    desired.Conflict, // the kept account has the address, and its owner can claim it
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db, map[string]string{"NEXTCLOUD_ON_DELETE": policy})
				w.removed(w.register("ada@example.org"))
				w.batch(w.reconciler())
				a := w.register("ada@example.org")
				w.batch(w.reconciler())
				if n := w.known(a); n.Status != want {
					t.Errorf("got row %+v", n)
				}
			})
		})
	}
}

// TestReconciler_WaitsForAnAddressToBeReleased gives one user the address that another one
// gave up, before Nextcloud applies the change.
func TestReconciler_WaitsForAnAddressToBeReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_USER_ID": "uuid"})
	r := w.reconciler()
	ada := w.register("ada@example.org")
	w.batch(r)
	ada.Email = "countess@example.org"
	w.update(func(ctx context.Context, tx *store.Tx) error {
		old, err := tx.Account(ctx, ada.ID)
		if err != nil {
			return err
		}
		_, err = tx.ChangeAccount(ctx, tx.Operator(), old, store.Changes{Email: &ada.Email}, w.time())
		return err
	})
	b := w.register("ada@example.org")
	w.batch(r)
	if n := w.known(b); n.Status != desired.Pending || n.LastError != reconcile.EmailTaken || n.DueAt == nil {
		t.Errorf("got row %+v", n)
	}
	w.changed(ada)
	w.batch(r)
	w.advance(time.Hour)
	w.batch(r)
	if n := w.known(b); n.Status != desired.Active {
		t.Errorf("got row %+v", n)
	}
}
