package store_test

import (
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// invited creates an administrator with the hash, whose account in Nextcloud is held.
func invited(t *testing.T, db *store.DB, email account.Email, hash secret.String) account.Account {
	t.Helper()
	a := account.Account{
		ID: account.NewID(), Email: email, Role: account.Admin, Preferences: document.Empty, CreatedAt: noon, UpdatedAt: noon,
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.CreateAccount(t.Context(), a, hash); err != nil {
			return err
		}
		n := desired.Account{UserID: a.ID, NextcloudID: string(email), InitialPassword: []byte("sealed"), Spec: desired.Spec{State: desired.Present, Email: email}}
		if err := tx.SetNextcloudDesired(t.Context(), n, string(a.ID), noon); err != nil {
			return err
		}
		return tx.HoldNextcloud(t.Context(), a.ID)
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestPendingAccount compares an account without a password with one that has one.
func TestPendingAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		pending, ready := invited(t, db, "ada@example.org", ""), invited(t, db, "grace@example.org", "hash")
		for id, want := range map[account.ID]bool{pending.ID: true, ready.ID: false} {
			if a, err := db.Account(t.Context(), id); err != nil || a.Pending != want || a.Profile().IsActive == want {
				t.Errorf("pending %v, active %v, %v; want pending %v", a.Pending, a.Profile().IsActive, err, want)
			}
		}
		if n, err := db.CountOtherAdmins(t.Context(), account.NewID()); err != nil || n != 1 {
			t.Errorf("%d administrators, %v; want 1, who has a password", n, err)
		}
		if err := db.ReleaseAllNextcloud(t.Context()); err != nil {
			t.Fatal(err)
		}
		leased, err := db.LeaseNextcloud(t.Context(), "lease", noon.Add(time.Second), noon.Add(time.Minute), 10)
		if err != nil || len(leased) != 1 || leased[0].UserID != ready.ID {
			t.Errorf("leased %+v, %v; want only the account whose user has a password", leased, err)
		}
		if since, err := db.OldestUnprovisioned(t.Context()); err != nil || since == nil {
			t.Errorf("the account that is due waits since %v, %v", since, err)
		}
	})
}

// TestPendingAccount_LeavesNothing deletes an account whose account in Nextcloud was
// never to be created.
func TestPendingAccount_LeavesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := invited(t, db, "ada@example.org", "")
		if since, err := db.OldestUnprovisioned(t.Context()); err != nil || since != nil {
			t.Errorf("an account that is held waits since %v, %v", since, err)
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			released, err := tx.UnlinkNextcloud(t.Context(), a.ID, noon)
			if err == nil && !released {
				t.Error("the account in Nextcloud remains to be changed")
			}
			if err != nil {
				return err
			}
			return tx.DeleteAccount(t.Context(), tx.Operator(), a.ID)
		})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := db.NextcloudAccounts(t.Context(), "", store.Page{Limit: 10}); err != nil || len(list) != 0 {
			t.Errorf("got %+v, %v; want no account", list, err)
		}
	})
}

// TestPendingAccount_StartsNoLogin starts a login with the hash that the account has.
func TestPendingAccount_StartsNoLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := invited(t, db, "ada@example.org", "")
		l := signin.Start(a.ID, "device", "192.0.2.1", noon, signin.Lifetimes{Idle: signin.DefaultIdle})
		if err := db.StartLogin(t.Context(), l, "", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, noon), nil); err == nil {
			t.Error("a login has begun")
		}
	})
}
