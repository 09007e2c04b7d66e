package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// conflicted returns a signed-in account that conflicts with the Nextcloud account of that
// ID.
func conflicted(t *testing.T, db *store.DB, email, with string) (account.Account, signin.Proof) {
	t.Helper()
	a := someone(t, db, email)
	n := desired.Account{
		UserID: a.ID, NextcloudID: email, InitialPassword: []byte("first"),
		Spec: desired.Spec{State: desired.Present, Email: a.Email, FullName: "Ada", Quota: "5 GB", PendingPassword: []byte("box")},
	}
	if err := db.SetNextcloudDesired(t.Context(), n, string(a.ID), noon); err != nil {
		t.Fatal(err)
	}
	holder, rows := lease(t, db, 9)
	for _, n := range rows {
		settle(t, db, n, holder, desired.Outcome{InitialPassword: n.InitialPassword, PendingPassword: n.PendingPassword, Status: desired.Conflict, LastError: "email_taken", ConflictID: with})
	}
	return a, signedIn(t, db, a)
}

// claim claims the conflicting account.
func claim(t *testing.T, db *store.DB, by signin.Proof, id string) error {
	t.Helper()
	way := row(t, db, by.User()).ConflictingID()
	return db.UpdateAs(t.Context(), by, noon, func(tx *store.Tx, by store.Actor) error {
		_, err := tx.ClaimNextcloud(t.Context(), by, way, id, []byte("proof"), noon)
		return err
	})
}

func TestClaimNextcloud_LinksAndOverwritesNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a, by := conflicted(t, db, "ada@example.org", "Countess")
		if err := claim(t, db, by, "Countess"); err != nil {
			t.Fatal(err)
		}
		n := row(t, db, a.ID)
		if n.NextcloudID != "Countess" || n.Link != desired.Claimed || !n.Owned || n.HasUserPassword || string(n.InitialPassword) != "proof" ||
			n.PendingPassword != nil || !n.KeepsEmail || !n.KeepsName || n.QuotaOverride != desired.KeepQuota || n.Status != desired.Pending || n.DueAt == nil || n.ConflictingID() != "" {
			t.Errorf("got row %+v", n)
		}
		if err := claim(t, db, by, "Countess"); !errors.Is(err, store.ErrChanged) {
			t.Errorf("second claim: got %v", err)
		}

		n.FullName = "Ada King" // only a later change is passed on
		n.PendingPassword = nil
		if err := db.SetNextcloudDesired(t.Context(), n, "spare", noon); err != nil {
			t.Fatal(err)
		}
		if n := row(t, db, a.ID); n.KeepsName || !n.KeepsEmail || n.QuotaOverride != desired.KeepQuota || n.WantsPassword {
			t.Errorf("after a change of the name: got row %+v", n)
		}
	})
}

func TestClaimNextcloud_ExcludesTheReconciler(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a, by := conflicted(t, db, "ada@example.org", "countess")
		n := row(t, db, a.ID)
		if err := db.RecheckNextcloudConflict(t.Context(), n, noon); err != nil {
			t.Fatal(err)
		}
		if n = row(t, db, a.ID); n.Status != desired.Pending || n.DueAt == nil {
			t.Fatalf("got row %+v", n)
		}
		holder, rows := lease(t, db, 1)
		err := db.UpdateAs(t.Context(), by, noon, func(tx *store.Tx, by store.Actor) error {
			_, err := tx.ClaimNextcloud(t.Context(), by, "countess", "countess", []byte("proof"), noon)
			return err
		})
		if !errors.Is(err, store.ErrChanged) {
			t.Errorf("claim during a lease: got %v", err)
		}
		err = db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.AdoptNextcloud(t.Context(), tx.Operator(), a.ID, "countess", "claim_required", noon)
			return err
		})
		if !errors.Is(err, store.ErrChanged) {
			t.Errorf("adoption during a lease: got %v", err)
		}
		settle(t, db, rows[0], holder, desired.Outcome{InitialPassword: rows[0].InitialPassword, Status: desired.Conflict, ConflictID: "countess"})
		if err := claim(t, db, by, "countess"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestClaimNextcloud_ExactlyOneUserWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, ada := conflicted(t, db, "ada@example.org", "countess")
		_, eve := conflicted(t, db, "eve@example.org", "countess")
		var all sync.WaitGroup
		errs := make([]error, 2)
		for i, by := range []signin.Proof{ada, eve} {
			all.Go(func() {
				errs[i] = db.UpdateAs(t.Context(), by, noon, func(tx *store.Tx, by store.Actor) error {
					_, err := tx.ClaimNextcloud(t.Context(), by, "countess", "countess", []byte("proof"), noon)
					return err
				})
			})
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, desired.ErrAlreadyLinked):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d of two users have the account, want 1", won)
		}
	})
}

// TestClaimNextcloud_ReplacesAReservation tests an ID that is reserved for a user but not
// yet assigned.
func TestClaimNextcloud_ReplacesAReservation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		eve, _ := conflicted(t, db, "ada@example.org", "Ada@example.org") // the ID is reserved for eve
		_, by := conflicted(t, db, "lovelace@example.org", "Ada@example.org")
		if err := claim(t, db, by, "Ada@example.org"); err != nil {
			t.Fatal(err)
		}
		if n := row(t, db, eve.ID); n.NextcloudID != string(eve.ID) || n.Status != desired.Pending || n.DueAt == nil {
			t.Errorf("got other row %+v", n)
		}
		if n, gone, err := db.NextcloudAccountByID(t.Context(), "ADA@example.org"); err != nil || gone || n.UserID != by.User() {
			t.Errorf("got holder %+v, %v, %v", n, gone, err)
		}
	})
}

func TestAdoptNextcloud_LinksOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		a, by := conflicted(t, db, "ada@example.org", "countess")
		eve, _ := conflicted(t, db, "eve@example.org", "countess")
		adopt := func(user account.ID, id string) error {
			return db.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.AdoptNextcloud(t.Context(), tx.Operator(), user, id, "claim_required", noon)
				return err
			})
		}
		if err := adopt(a.ID, "Lovelace"); err != nil {
			t.Fatal(err)
		}
		n := row(t, db, a.ID)
		if n.NextcloudID != "Lovelace" || n.Link != desired.Adopted || n.Owned || n.PendingPassword != nil || n.DueAt != nil ||
			n.ConflictingID() != "Lovelace" || n.LastError != "claim_required" {
			t.Errorf("got row %+v", n)
		}
		if err := adopt(eve.ID, "lovelace"); !errors.Is(err, desired.ErrAlreadyLinked) {
			t.Errorf("adoption for a second user: got %v", err)
		}
		if err := adopt(account.NewID(), "x"); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("adoption for an unknown user: got %v", err)
		}
		if err := claim(t, db, by, "Lovelace"); err != nil {
			t.Fatal(err)
		}
		if err := adopt(a.ID, "countess"); !errors.Is(err, desired.ErrAlreadyLinked) {
			t.Errorf("adoption for a user with an account: got %v", err)
		}
	})
}

func TestUnlinkNextcloud(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		unlink := func(user account.ID) (unlinked bool) {
			t.Helper()
			err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
				unlinked, err = tx.UnlinkNextcloud(t.Context(), user, noon)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return unlinked
		}
		ours := addDesired(t, db, "ours", 0)
		if unlink(ours.UserID) {
			t.Error("an account created by the gateway was unlinked")
		}
		eve, _ := conflicted(t, db, "eve@example.org", "countess")
		if !unlink(eve.ID) {
			t.Error("an account in conflict was not unlinked")
		}
		if _, err := db.NextcloudAccount(t.Context(), eve.ID); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("account in conflict: got %v, want it gone", err)
		}
		a, by := conflicted(t, db, "ada@example.org", "countess")
		if err := claim(t, db, by, "countess"); err != nil {
			t.Fatal(err)
		}
		if n := row(t, db, a.ID); !unlink(a.ID) || n.Link != desired.Claimed || row(t, db, a.ID).Link != desired.Released {
			t.Errorf("claimed account: got %+v", n)
		}
		holder, rows := lease(t, db, 9) // an attempt that began earlier does not undo it
		for _, n := range rows {
			settle(t, db, n, holder, desired.Outcome{InitialPassword: n.InitialPassword, Link: desired.Claimed, Owned: true, Status: desired.Active})
		}
		if n := row(t, db, a.ID); n.Link != desired.Released {
			t.Errorf("after the attempt: got %+v", n)
		}
	})
}

func TestClaimAttempts_AreBounded(t *testing.T) {
	t.Parallel()
	noon := kept(noon)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		_, by := conflicted(t, db, "ada@example.org", "countess")
		begin := func(now time.Time) (id string, wait time.Duration) {
			try := desired.NewClaimAttempt(by.User(), "countess", now)
			err := db.UpdateAs(t.Context(), by, noon, func(tx *store.Tx, by store.Actor) (err error) {
				wait, err = tx.BeginClaimAttempt(t.Context(), by, try)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return try.ID, wait
		}
		var (
			all  sync.WaitGroup
			mu   sync.Mutex
			pass []string
		)
		for range 8 {
			all.Go(func() {
				if id, wait := begin(noon); wait == 0 {
					mu.Lock()
					pass = append(pass, id)
					mu.Unlock()
				} else if wait != desired.AttemptsPerAccountWindow {
					t.Errorf("got wait %v", wait)
				}
			})
		}
		all.Wait()
		if len(pass) != 3 {
			t.Fatalf("%d concurrent attempts, want 3", len(pass))
		}
		if err := db.DeleteClaimAttempt(t.Context(), pass[0]); err != nil {
			t.Fatal(err)
		}
		if err := db.MarkClaimAttemptLost(t.Context(), pass[1]); err != nil {
			t.Fatal(err)
		}
		for range 2 { // one refused, one lost
			if _, wait := begin(noon); wait != 0 {
				t.Errorf("got wait %v", wait)
			}
		}
		if _, wait := begin(noon.Add(time.Hour)); wait != 23*time.Hour {
			t.Errorf("after three refusals: wait %v", wait)
		}
		if _, wait := begin(noon.Add(desired.AttemptsPerAccountWindow)); wait != 0 {
			t.Errorf("a day later: wait %v", wait)
		}
		if left, err := db.ClaimAttempts(t.Context(), noon); err != nil || len(left) != 1 {
			t.Errorf("%d rows are left, %v; want none", len(left), err)
		}
	})
}

func TestTakenNextcloudIDs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		kept, by := conflicted(t, db, "kept@example.org", "Kept")
		if err := claim(t, db, by, "Kept"); err != nil {
			t.Fatal(err)
		}
		conflicted(t, db, "Ada@example.org", "countess")
		taken := func() map[string]bool {
			t.Helper()
			ids := []string{"KEPT", "ada@EXAMPLE.org", "countess", "kept@example.org"}
			for i := range 200 { // more than one statement
				ids = append(ids, fmt.Sprint(i))
			}
			got, err := db.TakenNextcloudIDs(t.Context(), ids)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if diff := cmp.Diff(map[string]bool{"kept": true, "ada@example.org": true}, taken()); diff != "" {
			t.Error(diff)
		}
		// As after the deletion of a user whose account is kept.
		for _, statement := range []string{
			`UPDATE nextcloud_accounts SET due_at = NULL WHERE nextcloud_id = 'Kept'`,
			`DELETE FROM users WHERE email = '` + string(kept.Email) + `'`,
		} {
			if _, err := db.Handle().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(map[string]bool{"ada@example.org": true}, taken()); diff != "" {
			t.Error(diff)
		}
	})
}
