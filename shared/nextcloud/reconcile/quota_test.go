package reconcile_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// setQuota sets a quota for a, as an administrator does.
func (w *world) setQuota(a account.Account, own string) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		if err := w.recorder.Changed(ctx, tx, a, w.time()); err != nil {
			return err
		}
		return tx.SetNextcloudQuota(ctx, tx.Operator(), a.ID, own)
	})
}

// rename changes something else about a.
func (w *world) rename(a *account.Account, name string) {
	w.t.Helper()
	a.FullName = name
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, *a, w.time()) })
}

// hasQuota reconciles and fails the test unless a's account has the quota then.
func (w *world) hasQuota(a account.Account, want string) {
	w.t.Helper()
	w.advance(time.Minute)
	if res := w.batch(w.reconciler()); res.Failed != 0 {
		w.t.Errorf("got %+v: %s", res, w.known(a).LastError)
	}
	if u, ok := w.cloud.User(w.known(a).NextcloudID); !ok || u.Quota != want {
		w.t.Errorf("got quota %q, want %q", u.Quota, want)
	}
}

func TestQuota_PerAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		early := w.register("early@example.org")
		w.setQuota(early, "20 GB")
		w.hasQuota(early, "20 GB") // from the start
		a := w.register("ada@example.org")
		w.hasQuota(a, "5 GB")
		w.setQuota(a, "1 GB")
		if n := w.known(a); n.Status != desired.Pending || n.QuotaOverride != "1 GB" {
			t.Errorf("got row %+v", n)
		}
		w.hasQuota(a, "1 GB")

		w.recorder.Quota = "10 GB"
		w.rename(&a, "Ada King")
		w.hasQuota(a, "1 GB") // a new default does not touch it
		w.setQuota(a, "none")
		w.hasQuota(a, "none")
		if n := w.known(a); n.Used == nil || n.Total != nil {
			t.Errorf("got row %+v", n)
		}
		w.setQuota(a, "")
		w.hasQuota(a, "10 GB")
	})
}

func TestQuota_SurvivesAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	w.hasQuota(a, "5 GB")
	w.cloud.SetMaintenance(true)
	w.setQuota(a, "20 GB")
	w.advance(time.Minute)
	w.batch(w.reconciler())
	if n := w.known(a); n.Status != desired.Pending || n.LastError != reconcile.Unavailable {
		t.Errorf("got row %+v", n)
	}
	w.cloud.SetMaintenance(false)
	w.advance(time.Hour)
	w.hasQuota(a, "20 GB")
}

// TestQuota_ChangedInNextcloud plays an administrator who raises a quota in Nextcloud.
func TestQuota_ChangedInNextcloud(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		w.hasQuota(a, "5 GB")
		w.cloud.Set("ada@example.org", "quota", "30 GB")
		c := w.compare(w.reconciler())
		want := []reconcile.Drift{{
			Kind: "quota", NextcloudID: "ada@example.org", UserID: a.ID, Wanted: "5 GB", Found: "30 GB", Kept: true,
		}}
		if diff := cmp.Diff(want, c.Drifts); diff != "" || c.Drifted() != 0 {
			t.Errorf("%d drifts to repair (-want +got):\n%s", c.Drifted(), diff)
		}
		if n := w.known(a); n.Total == nil || *n.Total != 30<<30 {
			t.Errorf("the sweep's finding was not recorded: %+v", n)
		}
		w.rename(&a, "Ada King")
		w.hasQuota(a, "30 GB")
		w.recorder.Quota = "10 GB" // a default applies only to accounts without a quota of their own
		w.rename(&a, "Ada Lovelace")
		w.hasQuota(a, "30 GB")
		if n := w.known(a); n.Status != desired.Active || n.Total == nil || *n.Total != 30<<30 {
			t.Errorf("got row %+v", n)
		}

		w.settings.KeepQuotas = false
		if c = w.compare(w.reconciler()); len(c.Drifts) != 1 || c.Drifts[0].Kept || c.Drifted() != 1 {
			t.Errorf("%d drifts to repair: %+v", c.Drifted(), c.Drifts)
		}
		if due, err := w.reconciler().ScheduleRepair(t.Context(), c); err != nil || due != 1 {
			t.Errorf("%d accounts were made due, %v", due, err)
		}
		w.hasQuota(a, "10 GB")
		w.settings.KeepQuotas = true
		w.cloud.Set("ada@example.org", "quota", "30 GB")
		w.setQuota(a, "") // setting it again overrides Nextcloud
		w.hasQuota(a, "10 GB")
		w.recorder.Quota = "15 GB" // it follows the default again
		w.rename(&a, "Ada King")
		w.hasQuota(a, "15 GB")
	})
}

func TestQuota_LeftUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_QUOTA_DRIFT": "reset"})
	a := w.register("ada@example.org")
	w.hasQuota(a, "5 GB")
	w.setQuota(a, desired.KeepQuota)
	w.cloud.Set("ada@example.org", "quota", "30 GB")
	w.rename(&a, "Ada King")
	w.hasQuota(a, "30 GB")
	if c := w.compare(w.reconciler()); len(c.Drifts) != 0 {
		t.Errorf("got drifts %+v", c.Drifts)
	}
	w.cloud.RemoveUser("ada@example.org")
	w.rename(&a, "Ada Lovelace")
	w.advance(time.Minute)
	w.batch(w.reconciler())
	w.hasQuota(a, "5 GB") // no change to keep
	w.setQuota(a, "2 GB")
	w.hasQuota(a, "2 GB")
}

func TestQuota_RecreatedAccountGetsTheDesiredQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	w.hasQuota(a, "5 GB")
	w.cloud.RemoveUser("ada@example.org")
	w.rename(&a, "Ada King")
	w.advance(time.Minute)
	w.batch(w.reconciler()) // detects the loss
	w.setQuota(a, "1 GB")
	w.hasQuota(a, "1 GB")
}

func TestUsage_ReportsWhenItWasMeasured(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		w.hasQuota(a, "5 GB")
		is := func(used int64, asOf time.Time) {
			t.Helper()
			n, err := w.reconciler().Usage(t.Context(), w.known(a))
			if err != nil || *n.Used != used || !n.UsedAt.Equal(asOf) {
				t.Errorf("got %d bytes used as of %v, want %d as of %v; %v", *n.Used, n.UsedAt, used, asOf, err)
			}
			if kept := w.known(a); *kept.Used != used || !kept.UsedAt.Equal(asOf) {
				t.Errorf("stored: %d bytes used as of %v", *kept.Used, kept.UsedAt)
			}
		}
		w.cloud.SetUsed("ada@example.org", 1<<20)
		w.advance(time.Hour)
		seen := w.time()
		is(1<<20, seen)
		w.cloud.SetUsed("ada@example.org", 2<<20)
		w.advance(time.Second)
		is(1<<20, seen) // queried a second ago
		w.cloud.SetMaintenance(true)
		w.advance(time.Hour)
		is(1<<20, seen) // no answer
		w.cloud.SetMaintenance(false)
		w.advance(time.Hour)
		is(2<<20, w.time())
		w.cloud.SetUsed("ada@example.org", 3<<20)
		w.advance(time.Minute)
		w.rename(&a, "Ada King")
		w.batch(w.reconciler())
		if n := w.known(a); *n.Used != 3<<20 || !n.UsedAt.Equal(w.time()) {
			t.Errorf("attempt: got %d as of %v", *n.Used, n.UsedAt)
		}
		if err := db.SetUsage(t.Context(), a.ID, 7, nil, w.time().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		if n := w.known(a); *n.Used != 3<<20 || !n.UsedAt.Equal(w.time()) {
			t.Errorf("a stale answer is stored: %d as of %v", *n.Used, n.UsedAt)
		}
	})
}
