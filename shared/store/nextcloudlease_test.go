package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestLeaseNextcloud(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var want []account.ID
		for i := range 4 { // the last one created is due first
			n := addDesired(t, db, fmt.Sprint("user", i), -time.Duration(i)*time.Second)
			want = append([]account.ID{n.UserID}, want...)
		}
		addDesired(t, db, "tomorrow", 24*time.Hour)

		var got []account.ID
		first, rows := lease(t, db, 3)
		if len(rows) != 3 {
			t.Fatalf("leased %d, want the 3 requested", len(rows))
		}
		_, rest := lease(t, db, 3)
		for _, n := range append(rows, rest...) {
			got = append(got, n.UserID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("due accounts in order (-want +got)\n%s", diff)
		}
		if _, again := lease(t, db, 3); len(again) != 0 {
			t.Errorf("%d accounts were leased twice", len(again))
		}
		if err := db.ReleaseNextcloudLeases(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if _, again := lease(t, db, 9); len(again) != 3 {
			t.Errorf("after the release: leased %d, want 3", len(again))
		}
		later := noon.Add(2 * time.Minute) // after the leases expire
		again, err := db.LeaseNextcloud(t.Context(), uid.New(), later, later.Add(time.Minute), 9)
		if err != nil || len(again) != 4 {
			t.Errorf("after the leases expired: leased %d, %v, want 4", len(again), err)
		}
		if due, err := db.NextcloudDue(t.Context(), later); err != nil || due != 4 {
			t.Errorf("%d accounts are due, %v, want 4", due, err)
		}
	})
}

func TestLeaseNextcloud_ConcurrentWorkers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const accounts, workers, batch = 40, 4, 3
		for i := range accounts {
			addDesired(t, db, fmt.Sprint("user", i), 0)
		}
		var (
			wg    sync.WaitGroup
			mu    sync.Mutex
			times = map[account.ID]int{}
		)
		for range workers {
			wg.Go(func() {
				for range accounts {
					now := noon.Add(time.Minute)
					rows, err := db.LeaseNextcloud(t.Context(), uid.New(), now, now.Add(time.Minute), batch)
					if err != nil || len(rows) > batch {
						t.Errorf("leased %d, %v, want at most %d", len(rows), err, batch)
					}
					mu.Lock()
					for _, n := range rows {
						times[n.UserID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(times) != accounts {
			t.Errorf("%d of %d accounts were leased", len(times), accounts)
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("%s was leased %d times", id, n)
			}
		}
	})
}

func TestSettleNextcloud(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		addDesired(t, db, "ada@example.org", 0)
		holder, rows := lease(t, db, 1)
		used, total := int64(7), int64(5<<30)
		settle(t, db, rows[0], holder, desired.Outcome{
			Owned: true, InitialPassword: rows[0].InitialPassword, Status: desired.Active, Synced: true, Used: &used, Total: &total,
		})
		n := row(t, db, rows[0].UserID)
		synced := kept(noon.Add(time.Hour))
		want := rows[0]
		want.Owned, want.Status, want.PendingPassword, want.DueAt = true, desired.Active, nil, nil
		want.LastSyncedAt, want.UpdatedAt, want.Used, want.Total = &synced, synced, &used, &total
		if diff := cmp.Diff(want, n); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		err := db.SettleNextcloud(t.Context(), rows[0], holder, desired.Outcome{InitialPassword: rows[0].InitialPassword}, noon)
		if !errors.Is(err, store.ErrChanged) {
			t.Errorf("settled twice under one lease: %v", err)
		}
		if _, again := lease(t, db, 1); len(again) != 0 {
			t.Error("a settled account is due again")
		}
	})
}

func TestSettleNextcloud_KeepsConcurrentChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		n := addDesired(t, db, "ada@example.org", 0)
		holder, rows := lease(t, db, 1)
		n.FullName, n.PendingPassword = "Ada King", []byte("new box")
		if err := db.SetNextcloudDesired(t.Context(), n, "spare", noon); err != nil {
			t.Fatal(err)
		}
		settle(t, db, rows[0], holder, desired.Outcome{
			Owned: true, InitialPassword: rows[0].InitialPassword, Status: desired.Failed, Attempts: 8, Synced: true,
		})
		got := row(t, db, n.UserID)
		if got.Status != desired.Pending || got.DueAt == nil || got.Attempts != 0 || string(got.PendingPassword) != "new box" {
			t.Errorf("the new desired state was lost: %+v", got)
		}
		if !got.Owned || got.LastSyncedAt == nil {
			t.Errorf("the outcome was lost: %+v", got)
		}
		if _, again := lease(t, db, 1); len(again) != 1 {
			t.Error("the new desired state is not due")
		}
	})
}

func TestNextcloud_OnlyTheLeaseHolderWrites(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		n := addDesired(t, db, "ada@example.org", 0)
		lease(t, db, 1)
		other := uid.New()
		for name, err := range map[string]error{
			"own":    db.MarkNextcloudOwned(t.Context(), n.UserID, other, noon),
			"settle": db.SettleNextcloud(t.Context(), n, other, desired.Outcome{InitialPassword: n.InitialPassword, Status: desired.Active}, noon),
			"forget": db.DeleteNextcloud(t.Context(), n, other),
		} {
			if !errors.Is(err, store.ErrChanged) {
				t.Errorf("%s without the lease: %v, want ErrChanged", name, err)
			}
		}
		if got := row(t, db, n.UserID); got.Owned || got.Status != desired.Pending {
			t.Errorf("the row changed: %+v", got)
		}
	})
}

func TestForgetNextcloud_KeepsConcurrentChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		n := addDesired(t, db, "ada@example.org", 0)
		holder, rows := lease(t, db, 1)
		if err := db.SetNextcloudDesired(t.Context(), n, "spare", noon); err != nil {
			t.Fatal(err)
		}
		if err := db.DeleteNextcloud(t.Context(), rows[0], holder); !errors.Is(err, store.ErrChanged) {
			t.Errorf("forget = %v, want ErrChanged", err)
		}
		if err := db.DeleteNextcloud(t.Context(), row(t, db, n.UserID), holder); err != nil {
			t.Error(err)
		}
		if _, err := db.NextcloudAccount(t.Context(), n.UserID); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("the forgotten row: %v", err)
		}
	})
}

// TestReserveNextcloudID_WhileTheOtherIsDeleted reserves an id while the row that has it
// disappears: either it is still being deleted, or the id is free.
func TestReserveNextcloudID_WhileTheOtherIsDeleted(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i := range 50 {
			id := fmt.Sprint("user", i)
			addDesired(t, db, "spare of "+id, 0)
			holder, rows := lease(t, db, 1)
			old := addDesired(t, db, id, 0)
			old.State = desired.Absent
			if err := db.SetNextcloudDesired(t.Context(), old, "spare", noon); err != nil {
				t.Fatal(err)
			}
			deleter, leased := lease(t, db, 1)
			var deletion sync.WaitGroup
			deletion.Go(func() {
				if err := db.DeleteNextcloud(t.Context(), leased[0], deleter); err != nil {
					t.Error(err)
				}
			})
			for reserved := false; !reserved && !t.Failed(); {
				var beingDeleted bool
				var err error
				reserved, beingDeleted, err = db.ReserveNextcloudID(t.Context(), rows[0].UserID, holder, id, noon)
				if err != nil || !reserved && !beingDeleted {
					t.Errorf("reserved %v, being deleted %v, %v", reserved, beingDeleted, err)
				}
			}
			deletion.Wait()
		}
	})
}
