package reconcile_test

import (
	"errors"
	"testing"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestAdopt_LinksOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		w.cloud.AddUser("lovelace", herPassword, "")
		_, err := w.adopt(a.ID, "nobody")
		w.wantCode("an unused ID", err, "no_nextcloud_account")
		if n, err := w.adopt(a.ID, ""); err != nil || n.NextcloudID != "Countess" || n.Link != desired.Adopted || n.LastError != reconcile.ClaimRequired {
			t.Errorf("got %+v, %v", n, err)
		}
		if n, err := w.adopt(a.ID, "LOVELACE"); err != nil || n.NextcloudID != "lovelace" {
			t.Errorf("second adoption: got %+v, %v", n, err)
		}
		if _, err := w.adopt(a.ID, "Countess"); err != nil {
			t.Error(err)
		}
		w.cloud.RemoveUser("lovelace")
		b := w.register("b@example.org")
		_, err = w.adopt(b.ID, "countess")
		w.wantCode("another user's account", err, "already_linked")

		// Nothing is tried with it: each attempt would count as a failed login.
		w.retry(a)
		w.changed(a)
		w.batch(w.reconciler())
		if n := w.known(a); n.Status != desired.Conflict || n.LastError != reconcile.ClaimRequired || w.cloud.FailedLogins() != 0 {
			t.Errorf("got row %+v, %d failed logins", n, w.cloud.FailedLogins())
		}
		w.removed(b)
		w.cloud.RemoveUser("b@example.org")
		if _, err := w.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		w.batch(w.reconciler())
		w.unchanged(a)
		_, err = w.adopt(a.ID, "Countess")
		w.wantCode("a claimed account", err, "already_linked")
		if got := w.events(); got[audit.Adopted] != 3 || got[audit.Claimed] != 1 {
			t.Errorf("got audit events %v", got)
		}
	})
}

// TestLinked_OutlivesItsUser deletes the user of a claimed account.
func TestLinked_OutlivesItsUser(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"disable", "delete", "keep"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": policy})
			a, by := w.inConflict()
			if _, err := w.claim(by, herPassword); err != nil {
				t.Fatal(err)
			}
			r := w.reconciler()
			w.batch(r)
			w.removed(a)
			if u, there := w.cloud.User("Countess"); !there || !u.Enabled || !w.cloud.Opens("Countess", herPassword) {
				t.Errorf("got account %+v", u)
			}
			if _, err := w.db.NextcloudAccount(t.Context(), a.ID); !errors.Is(err, account.ErrNotFound) {
				t.Errorf("got %v, want the row gone", err)
			}
			again := w.register("ada@example.org")
			w.batch(r)
			if _, err := w.claim(w.proof(again), herPassword); err != nil {
				t.Errorf("claim by the user's next account: %v", err)
			}
			w.batch(r)
			w.unchanged(again)
		})
	}
}

func TestLinked_AdoptedOutlivesItsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	a, _ := w.inConflict()
	if _, err := w.adopt(a.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.removed(a)
	if u, there := w.cloud.User("Countess"); !there || !u.Enabled || w.cloud.FailedLogins() != 0 {
		t.Errorf("got account %+v", u)
	}
}

// TestLinked_IsDisabledWithItsUser checks that a disabled user cannot access the files.
func TestLinked_IsDisabledWithItsUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a, by := w.inConflict()
	if _, err := w.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	r := w.reconciler()
	w.batch(r)
	now := w.time()
	a.DisabledAt = &now
	w.changed(a)
	w.batch(r)
	if u, _ := w.cloud.User("Countess"); u.Enabled {
		t.Error("the account is enabled")
	}
	a.DisabledAt = nil
	w.changed(a)
	w.batch(r)
	w.unchanged(a)
}
