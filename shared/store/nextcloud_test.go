package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// addDesired stores the desired state of a new account, due at noon plus after, and returns
// it.
func addDesired(t *testing.T, db *store.DB, id string, after time.Duration) desired.Account {
	t.Helper()
	n := desired.Account{
		UserID: account.NewID(), NextcloudID: id, InitialPassword: []byte("first of " + id),
		Spec: desired.Spec{
			State: desired.Present, Email: "ada@example.org", FullName: "Ada Lovelace", Quota: "5 GB",
			PendingPassword: []byte("box"),
		},
	}
	if err := db.SetNextcloudDesired(t.Context(), n, "spare-"+id, noon.Add(after)); err != nil {
		t.Fatalf("set desired state of %s: %v", id, err)
	}
	return row(t, db, n.UserID)
}

func row(t *testing.T, db *store.DB, user account.ID) desired.Account {
	t.Helper()
	n, err := db.NextcloudAccount(t.Context(), user)
	if err != nil {
		t.Fatalf("Nextcloud account: %v", err)
	}
	return n
}

// lease leases what is due a minute past noon.
func lease(t *testing.T, db *store.DB, n int) (holder string, rows []desired.Account) {
	t.Helper()
	holder = uid.New()
	now := noon.Add(time.Minute)
	rows, err := db.LeaseNextcloud(t.Context(), holder, now, now.Add(time.Minute), n)
	if err != nil {
		t.Fatalf("lease: %v", err)
	}
	return holder, rows
}

func TestSetNextcloudDesired_RoundTrips(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		n := addDesired(t, db, "ada@example.org", 0)
		due := kept(noon)
		want := desired.Account{
			Spec: desired.Spec{
				State: desired.Present, Email: "ada@example.org", FullName: "Ada Lovelace", Quota: "5 GB",
				PendingPassword: []byte("box"),
			},
			UserID: n.UserID, NextcloudID: "ada@example.org", Version: 1, InitialPassword: []byte("first of ada@example.org"),
			Status: desired.Pending, DueAt: &due, CreatedAt: due, UpdatedAt: due,
		}
		if diff := cmp.Diff(want, n); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if _, err := db.NextcloudAccount(t.Context(), account.NewID()); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("account of an unknown user: got %v", err)
		}
	})
}

func TestSetNextcloudDesired_LaterChange(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		was := addDesired(t, db, "ada@example.org", 0)
		next := was
		next.NextcloudID, next.InitialPassword, next.PendingPassword = "countess@example.org", []byte("another"), nil
		next.Email, next.FullName, next.Quota = "countess@example.org", "Ada King", "10 GB"
		again := func(now time.Time) desired.Account {
			t.Helper()
			if err := db.SetNextcloudDesired(t.Context(), next, "spare", now); err != nil {
				t.Fatal(err)
			}
			return row(t, db, was.UserID)
		}

		n := again(noon.Add(time.Hour))
		if n.NextcloudID != was.NextcloudID || string(n.InitialPassword) != string(was.InitialPassword) {
			t.Errorf("the ID or the initial password changed: %s, %s", n.NextcloudID, n.InitialPassword)
		}
		if n.Email != next.Email || n.FullName != next.FullName || n.Quota != next.Quota || n.Version != 2 ||
			!n.DueAt.Equal(kept(noon.Add(time.Hour))) {
			t.Errorf("the desired state did not change: %+v", n)
		}
		if string(n.PendingPassword) != "box" {
			t.Errorf("a change without a password dropped the pending one: %q", n.PendingPassword)
		}
		next.PendingPassword = []byte("new box")
		if n = again(noon); string(n.PendingPassword) != "new box" {
			t.Errorf("a new password did not replace the pending one: %q", n.PendingPassword)
		}
		next.State, next.PendingPassword = desired.Absent, nil
		if n = again(noon); n.PendingPassword != nil || n.State != desired.Absent {
			t.Errorf("a password is pending for an account to be deleted: %+v", n)
		}
	})
}

func TestSetNextcloudDesired_DoesNotResolveAConflict(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		addDesired(t, db, "ada@example.org", 0)
		holder, rows := lease(t, db, 1)
		settle(t, db, rows[0], holder, desired.Outcome{InitialPassword: rows[0].InitialPassword, Status: desired.Conflict, LastError: "id_taken"})
		if err := db.SetNextcloudDesired(t.Context(), rows[0], "spare", noon); err != nil {
			t.Fatal(err)
		}
		if n := row(t, db, rows[0].UserID); n.Status != desired.Conflict || n.DueAt != nil {
			t.Errorf("a change resolves the conflict: %s, due %v", n.Status, n.DueAt)
		}
		n, err := retry(t, db, rows[0].UserID)
		if err != nil || n.Status != desired.Pending || n.DueAt == nil {
			t.Errorf("retry: got %+v, %v", n, err)
		}
		if _, err := retry(t, db, account.NewID()); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("retry for an unknown user: got %v", err)
		}
	})
}

func retry(t *testing.T, db *store.DB, user account.ID) (n desired.Account, err error) {
	t.Helper()
	err = db.Update(t.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.RetryNextcloud(t.Context(), tx.Operator(), user, noon)
		return err
	})
	return n, err
}

func TestSetNextcloudDesired_NeverReusesAnID(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		addDesired(t, db, "ada@example.org", 0)
		if n := addDesired(t, db, "ada@example.org", 0); n.NextcloudID != "spare-ada@example.org" {
			t.Errorf("the second account has the ID %s", n.NextcloudID)
		}
	})
}

func settle(t *testing.T, db *store.DB, n desired.Account, holder string, o desired.Outcome) {
	t.Helper()
	if err := db.SettleNextcloud(t.Context(), n, holder, o, noon.Add(time.Hour)); err != nil {
		t.Fatalf("settle: %v", err)
	}
}

func TestNextcloud_IDIsVisibleOnceOwned(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a := someone(t, db, "ada@example.org")
		n := desired.Account{UserID: a.ID, NextcloudID: "ada", InitialPassword: []byte("x"), Spec: desired.Spec{State: desired.Present}}
		if err := db.SetNextcloudDesired(t.Context(), n, "spare", noon); err != nil {
			t.Fatal(err)
		}
		seen := func() string {
			t.Helper()
			got, err := db.Account(t.Context(), a.ID)
			if err != nil {
				t.Fatal(err)
			}
			all, err := db.Accounts(t.Context(), store.Page{Limit: 1})
			if err != nil || all[0].NextcloudUserID != got.NextcloudUserID {
				t.Errorf("got list %+v, %v", all, err)
			}
			return got.NextcloudUserID
		}
		if got := seen(); got != "" {
			t.Errorf("before it is owned: got %q", got)
		}
		holder, _ := lease(t, db, 1)
		if err := db.MarkNextcloudOwned(t.Context(), a.ID, holder, noon); err != nil {
			t.Fatal(err)
		}
		if got := seen(); got != "ada" {
			t.Errorf("once it is owned: got %q", got)
		}
		storetest.AsOperator(t, db, func(tx *store.Tx, by store.Actor) error {
			return tx.DeleteAccount(t.Context(), by, a.ID)
		})
		if got := row(t, db, a.ID); !got.Owned {
			t.Errorf("the row must outlive the user: got %+v", got)
		}
	})
}

func TestNextcloud_Abandon(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ours, unmade := addDesired(t, db, "ours", -time.Second), addDesired(t, db, "unmade", 0)
		holder, _ := lease(t, db, 1)
		if err := db.MarkNextcloudOwned(t.Context(), ours.UserID, holder, noon); err != nil {
			t.Fatal(err)
		}
		for _, n := range []desired.Account{ours, unmade} {
			if err := db.AbandonNextcloud(t.Context(), n.UserID, noon); err != nil {
				t.Fatal(err)
			}
			if err := db.DeleteUnownedNextcloud(t.Context(), n.UserID); err != nil {
				t.Fatal(err)
			}
		}
		got := row(t, db, ours.UserID)
		if got.PendingPassword != nil || got.DueAt != nil || got.Version != 2 || !got.Owned {
			t.Errorf("owned account: got %+v", got)
		}
		if _, err := db.NextcloudAccount(t.Context(), unmade.UserID); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("account that was not created: got %v", err)
		}
		if n, err := db.RecheckNextcloud(t.Context(), noon); err != nil || n != 0 {
			t.Errorf("%d accounts of deleted users are checked again, %v", n, err)
		}
	})
}

func TestNextcloudAccounts_PageByStatus(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i := range 3 {
			addDesired(t, db, fmt.Sprint("user", i), time.Duration(i)*time.Second)
		}
		holder, rows := lease(t, db, 1)
		settle(t, db, rows[0], holder, desired.Outcome{InitialPassword: rows[0].InitialPassword, Status: desired.Failed})
		names := func(status desired.Status, p store.Page) (names []string) {
			t.Helper()
			list, err := db.NextcloudAccounts(t.Context(), status, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list {
				names = append(names, n.NextcloudID)
			}
			return names
		}
		if diff := cmp.Diff([]string{"user2", "user1", "user0"}, names("", store.Page{Limit: 9})); diff != "" {
			t.Errorf("all, newest first (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff([]string{"user0"}, names(desired.Failed, store.Page{Limit: 9})); diff != "" {
			t.Errorf("failed (-want +got)\n%s", diff)
		}
		p := store.Page{Limit: 1, Before: string(row(t, db, rows[0].UserID).UserID)}
		if got := names("", p); got != nil {
			t.Errorf("page before the oldest: got %v", got)
		}
	})
}
