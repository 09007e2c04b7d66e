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
				f := newFixture(t, db, nil)
				f.cloud.AddUser("countess", "her own password", address)
				a := f.register("ada@example.org")
				f.batch(f.reconciler())
				if n := f.known(a); n.Status != desired.Conflict || n.Owned || n.DueAt != nil {
					t.Errorf("got row %+v", n)
				}
				if users := f.cloud.Users(); len(users) != 2 {
					t.Errorf("a second account has the address: %+v", users)
				}
				if !f.cloud.ValidCredentials("ada@example.org", "her own password") {
					t.Error("the first account's login by address no longer works")
				}
			})
		})
	}
}

func TestReconciler_OwnAddressAfterACrashIsNoConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.CutAfter(), nextcloudtest.On(http.MethodPost, "")))
	f.batch(f.reconciler())
	f.advance(time.Hour)
	f.batch(f.reconciler())
	f.settled(a, adasPassword)
}

func TestReconciler_SimilarAddressIsNoConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for i := range 60 {
		f.cloud.AddUser(fmt.Sprint("user", i), "a password of theirs", fmt.Sprintf("x%d.ada@example.org", i))
	}
	a := f.register("ada@example.org")
	f.batch(f.reconciler())
	if n := f.known(a); n.Status != desired.Active {
		t.Errorf("got row %+v", n)
	}
}

// TestReconciler_FetchesABoundedNumberOfAccounts has more accounts match the search than the
// reconciler examines.
func TestReconciler_FetchesABoundedNumberOfAccounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for i := range 300 {
		f.cloud.AddUser(fmt.Sprint("user", i), "a password of theirs", fmt.Sprintf("x%d.ada@example.org", i))
	}
	a := f.register("ada@example.org")
	f.batch(f.reconciler())
	if n := f.known(a); n.Status != desired.Failed || n.LastError != reconcile.EmailAmbiguous || n.DueAt != nil {
		t.Errorf("got row %+v", n)
	}
	if _, there := f.cloud.User("ada@example.org"); there {
		t.Error("an account was created without knowing the owner of the address")
	}
	if n := len(f.cloud.Calls()); n > 8 {
		t.Errorf("got %d calls", n)
	}
}

// TestReconciler_ChangeToATakenAddressIsRefused changes an address to one that another account
// has in Nextcloud.
func TestReconciler_ChangeToATakenAddressIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.cloud.AddUser("charles", "his own password", "charles@example.org")
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	a.Email = "charles@example.org"
	f.changed(a)
	f.batch(r)
	if n := f.known(a); n.Status != desired.Active || n.LastError != reconcile.EmailTaken {
		t.Errorf("got row %+v", n)
	}
	if u, _ := f.cloud.User("ada@example.org"); u.Email != "ada@example.org" {
		t.Errorf("got address %s", u.Email)
	}
	if !f.cloud.ValidCredentials("charles@example.org", "his own password") {
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
				f := newFixture(t, db, map[string]string{"NEXTCLOUD_ON_DELETE": policy})
				f.removed(f.register("ada@example.org"))
				f.batch(f.reconciler())
				a := f.register("ada@example.org")
				f.batch(f.reconciler())
				if n := f.known(a); n.Status != want {
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
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_USER_ID": "uuid"})
	r := f.reconciler()
	ada := f.register("ada@example.org")
	f.batch(r)
	ada.Email = "countess@example.org"
	f.update(func(ctx context.Context, tx *store.Tx) error {
		old, err := tx.Account(ctx, ada.ID)
		if err != nil {
			return err
		}
		_, err = tx.ChangeAccount(ctx, tx.Operator(), old, store.Changes{Email: &ada.Email}, f.time())
		return err
	})
	b := f.register("ada@example.org")
	f.batch(r)
	if n := f.known(b); n.Status != desired.Pending || n.LastError != reconcile.EmailTaken || n.DueAt == nil {
		t.Errorf("got row %+v", n)
	}
	f.changed(ada)
	f.batch(r)
	f.advance(time.Hour)
	f.batch(r)
	if n := f.known(b); n.Status != desired.Active {
		t.Errorf("got row %+v", n)
	}
}
