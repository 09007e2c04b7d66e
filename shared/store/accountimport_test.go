package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestCreateAccounts creates accounts of which some addresses are taken, in numbers that
// need statements of several sizes.
func TestCreateAccounts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		noon := kept(noon)
		taken := newAccount("user3@example.org")
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateAccount(t.Context(), taken, "hash") }); err != nil {
			t.Fatal(err)
		}
		const n = 101
		disabled, verified := noon.Add(time.Hour), noon.Add(time.Minute)
		list := make([]store.HashedAccount, n)
		for i := range list {
			list[i].Account, list[i].Hash = newAccount(fmt.Sprintf("user%d@example.org", i)), "hash of an import"
			list[i].FullName, list[i].DisabledAt, list[i].EmailVerifiedAt = "Grace Hopper", &disabled, &verified
		}
		list[50].Email = "user49@example.org" // twice in the list
		create := func(list []store.HashedAccount) (created map[account.ID]bool) {
			t.Helper()
			err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
				created, err = tx.CreateAccounts(t.Context(), list)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return created
		}
		created := create(list)
		if len(created) != n-2 || created[list[3].ID] || created[list[50].ID] || !created[list[49].ID] {
			t.Errorf("created %d accounts, want all but two of %d", len(created), n)
		}
		got, hash, err := db.AccountByEmail(t.Context(), account.Email("user100@example.org").Lookup())
		if diff := cmp.Diff(list[100].Account, got); err != nil || diff != "" || hash != "hash of an import" {
			t.Errorf("%v, hash %q (-want +got):\n%s", err, hash.Reveal(), diff)
		}
		found, err := db.SearchAccounts(t.Context(), account.SearchPrefix("hopper"), store.Page{Limit: 2 * n})
		if err != nil || len(found) != n-2 {
			t.Errorf("a search finds %d accounts, %v; want %d", len(found), err, n-2)
		}
		if again := create(list); len(again) != 0 {
			t.Errorf("once more: created %d", len(again))
		}
		if none := create(nil); len(none) != 0 {
			t.Errorf("nothing: created %d", len(none))
		}
		emails, err := db.TakenEmails(t.Context(), []account.Email{"user3@example.org", "nobody@example.org", "user100@example.org"})
		if diff := cmp.Diff(map[account.Email]bool{"user3@example.org": true, "user100@example.org": true}, emails); err != nil || diff != "" {
			t.Errorf("taken: %v\n%s", err, diff)
		}
	})
}

// TestCreateNextcloudDesired compares it with the statement for one account.
func TestCreateNextcloudDesired(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var list []desired.Account
		for i := range 3 {
			a := newAccount(fmt.Sprintf("user%d@example.org", i))
			list = append(list, desired.Account{
				UserID: a.ID, NextcloudID: string(a.Email), InitialPassword: []byte("sealed"),
				Spec: desired.Spec{State: desired.Present, Email: a.Email, FullName: "Ada", Quota: "5 GB", PendingPassword: []byte("p")},
			})
		}
		list[2].NextcloudID = list[0].NextcloudID // taken
		if err := db.SetNextcloudDesired(t.Context(), list[0], string(list[0].UserID), noon); err != nil {
			t.Fatal(err)
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateNextcloudDesired(t.Context(), list[1:], noon) })
		if err != nil {
			t.Fatal(err)
		}
		one, err := db.NextcloudAccount(t.Context(), list[0].UserID)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range map[int]string{1: string(list[1].Email), 2: string(list[2].UserID)} {
			got, err := db.NextcloudAccount(t.Context(), list[i].UserID)
			if err != nil || got.NextcloudID != want {
				t.Errorf("account %d: id %q, %v; want %q", i, got.NextcloudID, err, want)
			}
			got.UserID, got.NextcloudID, got.Email = one.UserID, one.NextcloudID, one.Email
			if diff := cmp.Diff(one, got); diff != "" {
				t.Errorf("account %d (-alone +together):\n%s", i, diff)
			}
		}
	})
}

func TestAuditAll(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var want []audit.Event
		for range 5 {
			e := audit.New(audit.Registered, account.NewID(), audit.Origin{Device: "command line"}, kept(noon))
			e.Detail = "imported"
			want = append([]audit.Event{e}, want...)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.AuditAll(t.Context(), want) }); err != nil {
			t.Fatal(err)
		}
		got, err := db.AuditEvents(t.Context(), store.AuditFilter{Since: time.Unix(0, 0), Limit: 10})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
