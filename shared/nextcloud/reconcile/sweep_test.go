package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func (f *fixture) compare(r *reconcile.Reconciler) reconcile.Comparison {
	f.t.Helper()
	f.advance(time.Second)
	c, err := r.Compare(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// causeDrifts changes one account in each way, bypassing the gateway, and returns the drifts
// that a sweep must find.
func (f *fixture) causeDrifts(r *reconcile.Reconciler) []reconcile.Drift {
	f.t.Helper()
	people := map[string]account.Account{}
	for _, name := range []string{"quota", "email", "name", "disabled", "enabled", "missing", "fine", "group"} {
		people[name] = f.register(name + "@example.org")
	}
	f.register("spelled@bücher.example")
	f.batch(r)
	f.setDisabled(people["enabled"])
	f.batch(r)
	id := func(name string) string { return name + "@example.org" }
	f.cloud.Set(id("quota"), "quota", "1 GB")
	f.cloud.Set(id("email"), "email", "other@example.org")
	f.cloud.Set("spelled@xn--bcher-kva.example", "email", "Spelled@XN--BCHER-KVA.example") // the same mailbox
	f.cloud.Set(id("name"), "displayname", "Somebody Else")
	f.cloud.SetEnabled(id("disabled"), false)
	f.cloud.SetEnabled(id("enabled"), true)
	f.cloud.RemoveUser(id("missing"))
	f.cloud.AddUser("nobody@example.org", "x", "")
	f.cloud.AddUser("a-person", "x", "")
	d := func(kind reconcile.DriftKind, name, wanted, found string) reconcile.Drift {
		return reconcile.Drift{Kind: kind, NextcloudID: id(name), UserID: people[name].ID, Wanted: wanted, Found: found}
	}
	return []reconcile.Drift{
		d("disabled", "disabled", "", ""),
		d("display_name", "name", "Ada Lovelace", "Somebody Else"),
		d("email", "email", "email@example.org", "other@example.org"),
		d("enabled", "enabled", "", ""),
		d("missing", "missing", "", ""),
		{Kind: "orphan", NextcloudID: "nobody@example.org"},
		d("quota", "quota", "5 GB", "1 GB"),
	}
}

func (f *fixture) setDisabled(a account.Account) {
	f.t.Helper()
	now := f.time()
	a.DisabledAt = &now
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, now) })
}

func TestSweep_FindsAndRepairsEveryDrift(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, map[string]string{"NEXTCLOUD_QUOTA_DRIFT": "reset"})
		r := f.reconciler()
		want := f.causeDrifts(r)
		before := f.cloud.Users()
		c := f.compare(r)
		if diff := cmp.Diff(want, c.Drifts); diff != "" {
			t.Errorf("drifts (-want +got):\n%s", diff)
		}
		if c.Compared != 9 || c.Unsettled != 0 || c.Foreign != 2 || c.Drifted() != 6 {
			t.Errorf("got %+v", c)
		}
		if diff := cmp.Diff(before, f.cloud.Users(), cmpopts.IgnoreFields(nextcloudtest.User{}, "LastLogin")); diff != "" {
			t.Errorf("Compare changed Nextcloud:\n%s", diff)
		}
		if res := f.batch(r); res.Attempted != 0 {
			t.Errorf("Compare made %d accounts due", res.Attempted)
		}
		if due, err := r.ScheduleRepair(t.Context(), c); err != nil || due != 6 {
			t.Errorf("%d accounts were made due, %v", due, err)
		}
		f.batch(r)
		f.advance(time.Minute) // the missing one is created at the second attempt
		f.batch(r)
		after := f.compare(r)
		if diff := cmp.Diff([]reconcile.Drift{{Kind: "orphan", NextcloudID: "nobody@example.org"}}, after.Drifts); diff != "" {
			t.Errorf("remaining drifts (-want +got):\n%s", diff)
		}
	})
}

func TestSweep_RecognizesManagedAccountsByGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.register("ada@example.org")
	f.batch(f.reconciler())
	f.cloud.AddUser("grace@example.org", "x", "")
	f.settings.Group = "voiceassist" // from now on
	c := f.compare(f.reconciler())
	if len(c.Drifts) != 1 || c.Drifts[0].Kind != reconcile.DriftGroup || c.Foreign != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestSweep_SkipsPendingAccounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "keep"})
	r := f.reconciler()
	f.cloud.AddUser("taken@example.org", "theirs", "")
	f.register("taken@example.org") // in conflict
	left := f.register("left@example.org")
	f.batch(r)
	f.update(func(ctx context.Context, tx *store.Tx) error {
		if err := f.recorder.Deleted(ctx, tx, left, f.time()); err != nil {
			return err
		}
		return tx.DeleteAccount(ctx, tx.Operator(), left.ID)
	})
	f.cloud.SetEnabled("left@example.org", false)
	f.register("young@example.org") // not created yet
	c := f.compare(r)
	if len(c.Drifts) != 0 || c.Compared != 0 || c.Unsettled != 2 {
		t.Errorf("got %+v", c)
	}
}

// Accounts that the gateway creates and removes while the list is read are not drifts.
func TestSweep_ToleratesConcurrentChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	r := f.reconciler()
	gone := f.register("gone@example.org")
	f.batch(r)
	f.advance(time.Second)
	other := f.reconciler()
	f.cloud.Fail(nextcloudtest.Times(1, func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		next.ServeHTTP(rw, req)
		f.register("new@example.org")
		f.update(func(ctx context.Context, tx *store.Tx) error {
			if err := f.recorder.Deleted(ctx, tx, gone, f.time()); err != nil {
				return err
			}
			return tx.DeleteAccount(ctx, tx.Operator(), gone.ID)
		})
		f.batch(other)
	}, nextcloudtest.On("GET", "/cloud/users/details")))
	c := f.compare(r)
	if len(c.Drifts) != 0 {
		t.Errorf("got drifts %+v", c.Drifts)
	}
}

func TestSweep_RejectsAListWithoutTheAdministrator(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":   `{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":{"users":[]}}}`,
		"others":  `{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":{"users":{"x":{"id":"x"}}}}}`,
		"no list": `{"ocs":{"meta":{"status":"ok","statuscode":200,"message":"OK"},"data":[]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, storetest.SQLite(t), nil)
			f.register("ada@example.org")
			r := f.reconciler()
			f.batch(r)
			f.advance(time.Second)
			f.cloud.Fail(nextcloudtest.Times(2, nextcloudtest.Answer(200, "application/json", body, 0),
				nextcloudtest.On("GET", "/cloud/users/details")))
			if c, err := r.Compare(t.Context()); !errors.Is(err, ocs.ErrBadAnswer) || len(c.Drifts) != 0 {
				t.Errorf("got %+v, %v", c, err)
			}
		})
	}
}

func TestSweep_ReadsPageByPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for i := range 120 {
		f.cloud.AddUser(fmt.Sprintf("person-%03d", i), "x", "")
	}
	f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	if c := f.compare(r); c.Foreign != 121 || c.Compared != 1 || len(c.Drifts) != 0 {
		t.Errorf("got %+v", c)
	}
	pages := 0
	for _, call := range f.cloud.Calls() {
		if strings.HasSuffix(call.Path, "/cloud/users/details") && call.Search == "" {
			pages++
		}
	}
	if pages != 3 { // 50, 50, 22
		t.Errorf("got %d calls, want 3", pages)
	}
}

func TestSweep_TriesAWrongAdministratorOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ADMIN_PASSWORD": "wrong"})
	for range 3 {
		if _, err := f.reconciler().Compare(t.Context()); err == nil {
			t.Error("a wrong administrator password was not reported")
		}
	}
	if n := f.cloud.FailedLogins(); n != 1 {
		t.Errorf("%d failed logins, want 1", n)
	}
	if _, err := f.reconciler().Compare(t.Context()); !errors.Is(err, reconcile.ErrBlocked) {
		t.Errorf("got %v", err)
	}
}

func TestSweepDaily(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_QUOTA_DRIFT": "reset"})
	r := f.reconciler()
	daily := func() {
		t.Helper()
		if err := f.reconciler().SweepDaily(t.Context()); err != nil {
			t.Error(err)
		}
	}
	sweeps := func() (n int) {
		for _, call := range f.cloud.Calls() {
			if strings.HasSuffix(call.Path, "/cloud/users/details") && call.Search == "" && call.Status == 200 {
				n++
			}
		}
		return n
	}
	daily() // no sweep before the first call to Nextcloud
	a := f.register("ada@example.org")
	f.batch(r)
	f.advance(time.Second)
	f.cloud.Set("ada@example.org", "quota", "1 GB")
	daily()
	daily()
	if n := sweeps(); n != 1 {
		t.Errorf("got %d sweeps in one day", n)
	}
	f.batch(r)
	f.settled(a, adasPassword)

	f.advance(25 * time.Hour)
	f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.Crash(), nextcloudtest.On("GET", "/cloud/users/details")))
	if err := f.reconciler().SweepDaily(t.Context()); err == nil {
		t.Error("a failure was not reported")
	}
	daily()
	if n := sweeps(); n != 1 {
		t.Errorf("got %d sweeps, the last right after a failure", n)
	}
	f.advance(2 * time.Hour)
	f.recheck()
	f.batch(r) // closes the circuit breaker
	f.advance(time.Second)
	daily()
	if n := sweeps(); n != 2 {
		t.Errorf("got %d sweeps, want one an hour after the failure", n)
	}
}

// A gateway that is pointed at another Nextcloud does not recreate all accounts unasked.
func TestSweepDaily_RepairsNoMassDrift(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	r := f.reconciler()
	for i := range 12 {
		f.register(fmt.Sprintf("ada-%d@example.org", i))
	}
	f.batch(r)
	for i := range 11 {
		f.cloud.RemoveUser(fmt.Sprintf("ada-%d@example.org", i))
	}
	f.advance(time.Second)
	if err := r.SweepDaily(t.Context()); err != nil {
		t.Fatal(err)
	}
	if res := f.batch(r); res.Attempted != 0 {
		t.Errorf("%d accounts were made due", res.Attempted)
	}
	if due, err := r.ScheduleRepair(t.Context(), f.compare(r)); err != nil || due != 11 {
		t.Errorf("on request: %d accounts were made due, %v", due, err)
	}
}
