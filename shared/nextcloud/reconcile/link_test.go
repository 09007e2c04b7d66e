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
		f := newFixture(t, db, nil)
		a, by := f.inConflict()
		f.cloud.AddUser("lovelace", herPassword, "")
		_, err := f.adopt(a.ID, "nobody")
		f.wantCode("an unused ID", err, "no_nextcloud_account")
		if n, err := f.adopt(a.ID, ""); err != nil || n.NextcloudID != "Countess" || n.Link != desired.Adopted || n.LastError != reconcile.ClaimRequired {
			t.Errorf("got %+v, %v", n, err)
		}
		if n, err := f.adopt(a.ID, "LOVELACE"); err != nil || n.NextcloudID != "lovelace" {
			t.Errorf("second adoption: got %+v, %v", n, err)
		}
		if _, err := f.adopt(a.ID, "Countess"); err != nil {
			t.Error(err)
		}
		f.cloud.RemoveUser("lovelace")
		b := f.register("b@example.org")
		_, err = f.adopt(b.ID, "countess")
		f.wantCode("another user's account", err, "already_linked")

		// Nothing is tried with it: each attempt would count as a failed login.
		f.retry(a)
		f.changed(a)
		f.batch(f.reconciler())
		if n := f.known(a); n.Status != desired.Conflict || n.LastError != reconcile.ClaimRequired || f.cloud.FailedLogins() != 0 {
			t.Errorf("got row %+v, %d failed logins", n, f.cloud.FailedLogins())
		}
		f.removed(b)
		f.cloud.RemoveUser("b@example.org")
		if _, err := f.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		f.batch(f.reconciler())
		f.unchanged(a)
		_, err = f.adopt(a.ID, "Countess")
		f.wantCode("a claimed account", err, "already_linked")
		if got := f.events(); got[audit.Adopted] != 3 || got[audit.Claimed] != 1 {
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
			f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": policy})
			a, by := f.inConflict()
			if _, err := f.claim(by, herPassword); err != nil {
				t.Fatal(err)
			}
			r := f.reconciler()
			f.batch(r)
			f.removed(a)
			if u, there := f.cloud.User("Countess"); !there || !u.Enabled || !f.cloud.ValidCredentials("Countess", herPassword) {
				t.Errorf("got account %+v", u)
			}
			if _, err := f.db.NextcloudAccount(t.Context(), a.ID); !errors.Is(err, account.ErrNotFound) {
				t.Errorf("got %v, want the row gone", err)
			}
			again := f.register("ada@example.org")
			f.batch(r)
			if _, err := f.claim(f.proof(again), herPassword); err != nil {
				t.Errorf("claim by the user's next account: %v", err)
			}
			f.batch(r)
			f.unchanged(again)
		})
	}
}

func TestLinked_AdoptedOutlivesItsUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	a, _ := f.inConflict()
	if _, err := f.adopt(a.ID, ""); err != nil {
		t.Fatal(err)
	}
	f.removed(a)
	if u, there := f.cloud.User("Countess"); !there || !u.Enabled || f.cloud.FailedLogins() != 0 {
		t.Errorf("got account %+v", u)
	}
}

// TestLinked_IsDisabledWithItsUser checks that a disabled user cannot access the files.
func TestLinked_IsDisabledWithItsUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a, by := f.inConflict()
	if _, err := f.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	r := f.reconciler()
	f.batch(r)
	now := f.time()
	a.DisabledAt = &now
	f.changed(a)
	f.batch(r)
	if u, _ := f.cloud.User("Countess"); u.Enabled {
		t.Error("the account is enabled")
	}
	a.DisabledAt = nil
	f.changed(a)
	f.batch(r)
	f.unchanged(a)
}
