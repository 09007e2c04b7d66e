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

func (w *world) compare(r *reconcile.Reconciler) reconcile.Comparison {
	w.t.Helper()
	w.advance(time.Second)
	c, err := r.Compare(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// causeDrifts changes one account in each way, bypassing the gateway, and returns the drifts
// that a sweep must find.
func (w *world) causeDrifts(r *reconcile.Reconciler) []reconcile.Drift {
	w.t.Helper()
	people := map[string]account.Account{}
	for _, name := range []string{"quota", "email", "name", "disabled", "enabled", "missing", "fine", "group"} {
		people[name] = w.register(name + "@example.org")
	}
	w.register("spelled@bücher.example")
	w.batch(r)
	w.setDisabled(people["enabled"])
	w.batch(r)
	id := func(name string) string { return name + "@example.org" }
	w.cloud.Set(id("quota"), "quota", "1 GB")
	w.cloud.Set(id("email"), "email", "other@example.org")
	w.cloud.Set("spelled@xn--bcher-kva.example", "email", "Spelled@XN--BCHER-KVA.example") // the same mailbox
	w.cloud.Set(id("name"), "displayname", "Somebody Else")
	w.cloud.SetEnabled(id("disabled"), false)
	w.cloud.SetEnabled(id("enabled"), true)
	w.cloud.RemoveUser(id("missing"))
	w.cloud.AddUser("nobody@example.org", "x", "")
	w.cloud.AddUser("a-person", "x", "")
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

func (w *world) setDisabled(a account.Account) {
	w.t.Helper()
	now := w.time()
	a.DisabledAt = &now
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, now) })
}

func TestSweep_FindsAndRepairsEveryDrift(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, map[string]string{"NEXTCLOUD_QUOTA_DRIFT": "reset"})
		r := w.reconciler()
		want := w.causeDrifts(r)
		before := w.cloud.Users()
		c := w.compare(r)
		if diff := cmp.Diff(want, c.Drifts); diff != "" {
			t.Errorf("drifts (-want +got):\n%s", diff)
		}
		if c.Compared != 9 || c.Unsettled != 0 || c.Foreign != 2 || c.Drifted() != 6 {
			t.Errorf("got %+v", c)
		}
		if diff := cmp.Diff(before, w.cloud.Users(), cmpopts.IgnoreFields(nextcloudtest.User{}, "LastLogin")); diff != "" {
			t.Errorf("Compare changed Nextcloud:\n%s", diff)
		}
		if res := w.batch(r); res.Attempted != 0 {
			t.Errorf("Compare made %d accounts due", res.Attempted)
		}
		if due, err := r.ScheduleRepair(t.Context(), c); err != nil || due != 6 {
			t.Errorf("%d accounts were made due, %v", due, err)
		}
		w.batch(r)
		w.advance(time.Minute) // the missing one is created at the second attempt
		w.batch(r)
		after := w.compare(r)
		if diff := cmp.Diff([]reconcile.Drift{{Kind: "orphan", NextcloudID: "nobody@example.org"}}, after.Drifts); diff != "" {
			t.Errorf("remaining drifts (-want +got):\n%s", diff)
		}
	})
}

func TestSweep_RecognizesManagedAccountsByGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	w.register("ada@example.org")
	w.batch(w.reconciler())
	w.cloud.AddUser("grace@example.org", "x", "")
	w.settings.Group = "voiceassist" // from now on
	c := w.compare(w.reconciler())
	if len(c.Drifts) != 1 || c.Drifts[0].Kind != reconcile.DriftGroup || c.Foreign != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestSweep_SkipsPendingAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "keep"})
	r := w.reconciler()
	w.cloud.AddUser("taken@example.org", "theirs", "")
	w.register("taken@example.org") // in conflict
	left := w.register("left@example.org")
	w.batch(r)
	w.update(func(ctx context.Context, tx *store.Tx) error {
		if err := w.recorder.Deleted(ctx, tx, left, w.time()); err != nil {
			return err
		}
		return tx.DeleteAccount(ctx, tx.Operator(), left.ID)
	})
	w.cloud.SetEnabled("left@example.org", false)
	w.register("young@example.org") // not created yet
	c := w.compare(r)
	if len(c.Drifts) != 0 || c.Compared != 0 || c.Unsettled != 2 {
		t.Errorf("got %+v", c)
	}
}

// Accounts that the gateway creates and removes while the list is read are not drifts.
func TestSweep_ToleratesConcurrentChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	r := w.reconciler()
	gone := w.register("gone@example.org")
	w.batch(r)
	w.advance(time.Second)
	other := w.reconciler()
	w.cloud.Fail(nextcloudtest.Times(1, func(rw http.ResponseWriter, req *http.Request, next http.Handler) {
		next.ServeHTTP(rw, req)
		w.register("new@example.org")
		w.update(func(ctx context.Context, tx *store.Tx) error {
			if err := w.recorder.Deleted(ctx, tx, gone, w.time()); err != nil {
				return err
			}
			return tx.DeleteAccount(ctx, tx.Operator(), gone.ID)
		})
		w.batch(other)
	}, nextcloudtest.On("GET", "/cloud/users/details")))
	c := w.compare(r)
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
			w := newWorld(t, storetest.SQLite(t), nil)
			w.register("ada@example.org")
			r := w.reconciler()
			w.batch(r)
			w.advance(time.Second)
			w.cloud.Fail(nextcloudtest.Times(2, nextcloudtest.Answer(200, "application/json", body, 0),
				nextcloudtest.On("GET", "/cloud/users/details")))
			if c, err := r.Compare(t.Context()); !errors.Is(err, ocs.ErrBadAnswer) || len(c.Drifts) != 0 {
				t.Errorf("got %+v, %v", c, err)
			}
		})
	}
}

func TestSweep_ReadsPageByPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	for i := range 120 {
		w.cloud.AddUser(fmt.Sprintf("person-%03d", i), "x", "")
	}
	w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	if c := w.compare(r); c.Foreign != 121 || c.Compared != 1 || len(c.Drifts) != 0 {
		t.Errorf("got %+v", c)
	}
	pages := 0
	for _, call := range w.cloud.Calls() {
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
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ADMIN_PASSWORD": "wrong"})
	for range 3 {
		if _, err := w.reconciler().Compare(t.Context()); err == nil {
			t.Error("a wrong administrator password was not reported")
		}
	}
	if n := w.cloud.FailedLogins(); n != 1 {
		t.Errorf("%d failed logins, want 1", n)
	}
	if _, err := w.reconciler().Compare(t.Context()); !errors.Is(err, reconcile.ErrBlocked) {
		t.Errorf("got %v", err)
	}
}

func TestSweepDaily(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_QUOTA_DRIFT": "reset"})
	r := w.reconciler()
	daily := func() {
		t.Helper()
		if err := w.reconciler().SweepDaily(t.Context()); err != nil {
			t.Error(err)
		}
	}
	sweeps := func() (n int) {
		for _, call := range w.cloud.Calls() {
			if strings.HasSuffix(call.Path, "/cloud/users/details") && call.Search == "" && call.Status == 200 {
				n++
			}
		}
		return n
	}
	daily() // no sweep before the first call to Nextcloud
	a := w.register("ada@example.org")
	w.batch(r)
	w.advance(time.Second)
	w.cloud.Set("ada@example.org", "quota", "1 GB")
	daily()
	daily()
	if n := sweeps(); n != 1 {
		t.Errorf("got %d sweeps in one day", n)
	}
	w.batch(r)
	w.settled(a, adasPassword)

	w.advance(25 * time.Hour)
	w.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.Crash(), nextcloudtest.On("GET", "/cloud/users/details")))
	if err := w.reconciler().SweepDaily(t.Context()); err == nil {
		t.Error("a failure was not reported")
	}
	daily()
	if n := sweeps(); n != 1 {
		t.Errorf("got %d sweeps, the last right after a failure", n)
	}
	w.advance(2 * time.Hour)
	w.recheck()
	w.batch(r) // closes the circuit breaker
	w.advance(time.Second)
	daily()
	if n := sweeps(); n != 2 {
		t.Errorf("got %d sweeps, want one an hour after the failure", n)
	}
}

// A gateway that is pointed at another Nextcloud does not recreate all accounts unasked.
func TestSweepDaily_RepairsNoMassDrift(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	r := w.reconciler()
	for i := range 12 {
		w.register(fmt.Sprintf("ada-%d@example.org", i))
	}
	w.batch(r)
	for i := range 11 {
		w.cloud.RemoveUser(fmt.Sprintf("ada-%d@example.org", i))
	}
	w.advance(time.Second)
	if err := r.SweepDaily(t.Context()); err != nil {
		t.Fatal(err)
	}
	if res := w.batch(r); res.Attempted != 0 {
		t.Errorf("%d accounts were made due", res.Attempted)
	}
	if due, err := r.ScheduleRepair(t.Context(), w.compare(r)); err != nil || due != 11 {
		t.Errorf("on request: %d accounts were made due, %v", due, err)
	}
}
