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
func (f *fixture) setQuota(a account.Account, own string) {
	f.t.Helper()
	f.update(func(ctx context.Context, tx *store.Tx) error {
		if err := f.recorder.Changed(ctx, tx, a, f.time()); err != nil {
			return err
		}
		return tx.SetNextcloudQuota(ctx, tx.Operator(), a.ID, own)
	})
}

// rename changes something else about a.
func (f *fixture) rename(a *account.Account, name string) {
	f.t.Helper()
	a.FullName = name
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, *a, f.time()) })
}

// hasQuota reconciles and fails the test unless a's account has the quota then.
func (f *fixture) hasQuota(a account.Account, want string) {
	f.t.Helper()
	f.advance(time.Minute)
	if res := f.batch(f.reconciler()); res.Failed != 0 {
		f.t.Errorf("got %+v: %s", res, f.known(a).LastError)
	}
	if u, ok := f.cloud.User(f.known(a).NextcloudID); !ok || u.Quota != want {
		f.t.Errorf("got quota %q, want %q", u.Quota, want)
	}
}

func TestQuota_PerAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		early := f.register("early@example.org")
		f.setQuota(early, "20 GB")
		f.hasQuota(early, "20 GB") // from the start
		a := f.register("ada@example.org")
		f.hasQuota(a, "5 GB")
		f.setQuota(a, "1 GB")
		if n := f.known(a); n.Status != desired.Pending || n.QuotaOverride != "1 GB" {
			t.Errorf("got row %+v", n)
		}
		f.hasQuota(a, "1 GB")

		f.recorder.Quota = "10 GB"
		f.rename(&a, "Ada King")
		f.hasQuota(a, "1 GB") // a new default does not touch it
		f.setQuota(a, "none")
		f.hasQuota(a, "none")
		if n := f.known(a); n.Used == nil || n.Total != nil {
			t.Errorf("got row %+v", n)
		}
		f.setQuota(a, "")
		f.hasQuota(a, "10 GB")
	})
}

func TestQuota_SurvivesAnOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	f.hasQuota(a, "5 GB")
	f.cloud.SetMaintenance(true)
	f.setQuota(a, "20 GB")
	f.advance(time.Minute)
	f.batch(f.reconciler())
	if n := f.known(a); n.Status != desired.Pending || n.LastError != reconcile.Unavailable {
		t.Errorf("got row %+v", n)
	}
	f.cloud.SetMaintenance(false)
	f.advance(time.Hour)
	f.hasQuota(a, "20 GB")
}

// TestQuota_ChangedInNextcloud plays an administrator who raises a quota in Nextcloud.
func TestQuota_ChangedInNextcloud(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		f.hasQuota(a, "5 GB")
		f.cloud.Set("ada@example.org", "quota", "30 GB")
		c := f.compare(f.reconciler())
		want := []reconcile.Drift{{
			Kind: "quota", NextcloudID: "ada@example.org", UserID: a.ID, Wanted: "5 GB", Found: "30 GB", Kept: true,
		}}
		if diff := cmp.Diff(want, c.Drifts); diff != "" || c.Drifted() != 0 {
			t.Errorf("%d drifts to repair (-want +got):\n%s", c.Drifted(), diff)
		}
		if n := f.known(a); n.Total == nil || *n.Total != 30<<30 {
			t.Errorf("the sweep's finding was not recorded: %+v", n)
		}
		f.rename(&a, "Ada King")
		f.hasQuota(a, "30 GB")
		f.recorder.Quota = "10 GB" // a default applies only to accounts without a quota of their own
		f.rename(&a, "Ada Lovelace")
		f.hasQuota(a, "30 GB")
		if n := f.known(a); n.Status != desired.Active || n.Total == nil || *n.Total != 30<<30 {
			t.Errorf("got row %+v", n)
		}

		f.settings.KeepQuotas = false
		if c = f.compare(f.reconciler()); len(c.Drifts) != 1 || c.Drifts[0].Kept || c.Drifted() != 1 {
			t.Errorf("%d drifts to repair: %+v", c.Drifted(), c.Drifts)
		}
		if due, err := f.reconciler().ScheduleRepair(t.Context(), c); err != nil || due != 1 {
			t.Errorf("%d accounts were made due, %v", due, err)
		}
		f.hasQuota(a, "10 GB")
		f.settings.KeepQuotas = true
		f.cloud.Set("ada@example.org", "quota", "30 GB")
		f.setQuota(a, "") // setting it again overrides Nextcloud
		f.hasQuota(a, "10 GB")
		f.recorder.Quota = "15 GB" // it follows the default again
		f.rename(&a, "Ada King")
		f.hasQuota(a, "15 GB")
	})
}

func TestQuota_LeftUnchanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_QUOTA_DRIFT": "reset"})
	a := f.register("ada@example.org")
	f.hasQuota(a, "5 GB")
	f.setQuota(a, desired.KeepQuota)
	f.cloud.Set("ada@example.org", "quota", "30 GB")
	f.rename(&a, "Ada King")
	f.hasQuota(a, "30 GB")
	if c := f.compare(f.reconciler()); len(c.Drifts) != 0 {
		t.Errorf("got drifts %+v", c.Drifts)
	}
	f.cloud.RemoveUser("ada@example.org")
	f.rename(&a, "Ada Lovelace")
	f.advance(time.Minute)
	f.batch(f.reconciler())
	f.hasQuota(a, "5 GB") // no change to keep
	f.setQuota(a, "2 GB")
	f.hasQuota(a, "2 GB")
}

func TestQuota_RecreatedAccountGetsTheDesiredQuota(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	f.hasQuota(a, "5 GB")
	f.cloud.RemoveUser("ada@example.org")
	f.rename(&a, "Ada King")
	f.advance(time.Minute)
	f.batch(f.reconciler()) // detects the loss
	f.setQuota(a, "1 GB")
	f.hasQuota(a, "1 GB")
}

func TestUsage_ReportsWhenItWasMeasured(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		f.hasQuota(a, "5 GB")
		is := func(used int64, asOf time.Time) {
			t.Helper()
			n, err := f.reconciler().Usage(t.Context(), f.known(a))
			if err != nil || *n.Used != used || !n.UsedAt.Equal(asOf) {
				t.Errorf("got %d bytes used as of %v, want %d as of %v; %v", *n.Used, n.UsedAt, used, asOf, err)
			}
			if kept := f.known(a); *kept.Used != used || !kept.UsedAt.Equal(asOf) {
				t.Errorf("stored: %d bytes used as of %v", *kept.Used, kept.UsedAt)
			}
		}
		f.cloud.SetUsed("ada@example.org", 1<<20)
		f.advance(time.Hour)
		seen := f.time()
		is(1<<20, seen)
		f.cloud.SetUsed("ada@example.org", 2<<20)
		f.advance(time.Second)
		is(1<<20, seen) // queried a second ago
		f.cloud.SetMaintenance(true)
		f.advance(time.Hour)
		is(1<<20, seen) // no answer
		f.cloud.SetMaintenance(false)
		f.advance(time.Hour)
		is(2<<20, f.time())
		f.cloud.SetUsed("ada@example.org", 3<<20)
		f.advance(time.Minute)
		f.rename(&a, "Ada King")
		f.batch(f.reconciler())
		if n := f.known(a); *n.Used != 3<<20 || !n.UsedAt.Equal(f.time()) {
			t.Errorf("attempt: got %d as of %v", *n.Used, n.UsedAt)
		}
		if err := db.SetUsage(t.Context(), a.ID, 7, nil, f.time().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		if n := f.known(a); *n.Used != 3<<20 || !n.UsedAt.Equal(f.time()) {
			t.Errorf("a stale answer is stored: %d as of %v", *n.Used, n.UsedAt)
		}
	})
}
