package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestReconciler_CreatesTheAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		if got := f.batch(f.reconciler()); got != (reconcile.Result{Attempted: 1, Succeeded: 1}) {
			t.Errorf("got %+v", got)
		}
		f.settled(a, adasPassword)
		if n := f.known(a); n.NextcloudID != "ada@example.org" || n.Total == nil || *n.Total != 5<<30 {
			t.Errorf("got %+v", n)
		}
		calls := len(f.cloud.Calls())
		if got := f.batch(f.reconciler()); got != (reconcile.Result{}) || len(f.cloud.Calls()) != calls {
			t.Errorf("with nothing to do: got %+v, %d calls", got, len(f.cloud.Calls())-calls)
		}
	})
}

// errCrash is the panic value of a simulated crash.
type errCrash struct{}

// TestReconciler_SurvivesACrashAnywhere stops the reconciler after every single call and
// commit of one user's provisioning, in turn, and restarts it.
func TestReconciler_SurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		points := 0
		for at := 1; ; at++ {
			t.Run(fmt.Sprint("point ", at), func(t *testing.T) {
				f := newFixture(t, db, map[string]string{})
				a := f.register(fmt.Sprintf("ada%d@example.org", at))
				r := f.reconciler()
				seen := 0
				reconcile.OnTrace(r, func(string) {
					if seen++; seen == at {
						panic(errCrash{})
					}
				})
				if !crashes(func() { f.batch(r) }) {
					points = at - 1 // it ran to completion
				}
				f.advance(time.Hour) // the lease expires
				for range 3 {
					f.batch(f.reconciler())
				}
				f.settled(a, adasPassword)
			})
			if points > 0 || t.Failed() {
				break
			}
		}
		if points < 7 { // look, create, own, look, edit, log in, settle
			t.Errorf("only %d points were tested", points)
		}
	})
}

// crashes runs fn and reports whether it crashed.
func crashes(fn func()) (crashed bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(errCrash); !ok {
				panic(p)
			}
			crashed = true
		}
	}()
	fn()
	return false
}

func TestReconciler_SurvivesALostAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]nextcloudtest.Fault{
		"cut after the effect": nextcloudtest.CutAfter(), "cut before the effect": nextcloudtest.CutBefore(),
		"500 after the effect": nextcloudtest.CrashAfter(), "500 before the effect": nextcloudtest.Crash(),
		"maintenance": nextcloudtest.Maintenance(),
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodPut} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, storetest.SQLite(t), nil)
				a := f.register("ada@example.org")
				f.cloud.Fail(nextcloudtest.Times(1, fault, nextcloudtest.On(method, "")))
				r := f.reconciler()
				for range 4 {
					f.batch(r)
					f.advance(time.Hour)
				}
				f.settled(a, adasPassword)
			})
		}
	}
}

func TestReconciler_ConcurrentRunsDoNothingTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const people = 10
		f := newFixture(t, db, nil)
		for i := range people {
			f.register(fmt.Sprintf("user%d@example.org", i))
		}
		var wg sync.WaitGroup
		results := make([]reconcile.Result, 2)
		for i := range results {
			r := f.reconciler()
			wg.Go(func() {
				for range people {
					res, err := r.RunBatch(t.Context(), 2)
					if err != nil {
						t.Error(err)
					}
					results[i].Succeeded += res.Succeeded
				}
			})
		}
		wg.Wait()
		if got := results[0].Succeeded + results[1].Succeeded; got != people {
			t.Errorf("%d accounts were created, want %d", got, people)
		}
		creates := 0
		for _, c := range f.cloud.Calls() {
			if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/users") {
				creates++
			}
		}
		if creates != people || len(f.cloud.Users()) != people+1 {
			t.Errorf("%d create calls for %d people, %d users", creates, people, len(f.cloud.Users()))
		}
	})
}

func TestReconciler_NeverTouchesAForeignAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.cloud.AddUser("ada@example.org", "her own password", "somebody@example.com")
	a := f.register("ada@example.org")
	f.batch(f.reconciler())
	if n := f.known(a); n.Status != desired.Conflict || n.LastError != reconcile.IDTaken || n.Owned || n.DueAt != nil {
		t.Errorf("got row %+v", n)
	}
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Deleted(ctx, tx, a, f.time()) })
	f.batch(f.reconciler())
	for _, c := range f.cloud.Calls() {
		if c.User != "admin" || c.Method != http.MethodGet {
			t.Errorf("the foreign account was tried: %+v", c)
		}
	}
	u, ok := f.cloud.User("ada@example.org")
	if !ok || !u.Enabled || u.Email != "somebody@example.com" || !f.cloud.ValidCredentials("ada@example.org", "her own password") {
		t.Errorf("the foreign account was changed: %+v", u)
	}
}

func TestReconciler_AppliesTheDesiredState(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)

	a.Email, a.FullName = "countess@example.org", "Ada King"
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
	f.update(func(ctx context.Context, tx *store.Tx) error {
		return f.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", f.time())
	})
	f.batch(r)
	f.settled(a, "an entirely new passphrase")
	f.advance(10 * time.Minute) // until older app passwords become invalid, unless the user logged in
	f.settled(a, "an entirely new passphrase")
	if n := f.known(a); n.NextcloudID != "ada@example.org" {
		t.Errorf("the Nextcloud ID changed with the address: %s", n.NextcloudID)
	}

	disabled := f.time()
	a.DisabledAt = &disabled
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
	f.batch(r)
	if u, _ := f.cloud.User("ada@example.org"); u.Enabled || f.known(a).Status != desired.Inactive {
		t.Errorf("account not disabled: %+v", u)
	}

	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Deleted(ctx, tx, a, f.time()) })
	f.batch(r)
	if _, there := f.cloud.User("ada@example.org"); there {
		t.Error("account not deleted")
	}
	if _, err := f.db.NextcloudAccount(t.Context(), a.ID); err == nil {
		t.Error("the row outlived the deletion")
	}
}

func TestReconciler_RecreatesALostAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	f.cloud.RemoveUser("ada@example.org")
	if _, err := f.db.RecheckNextcloud(t.Context(), f.time()); err != nil {
		t.Fatal(err)
	}
	f.batch(r)
	f.batch(r)
	if n := f.known(a); n.Status != desired.Active || !n.Owned {
		t.Errorf("got row %+v", n)
	}
	if _, there := f.cloud.User("ada@example.org"); !there {
		t.Error("the account was not recreated")
	}
}

func TestReconciler_StopsIfTheAdministratorIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for i := range 5 {
		f.register(fmt.Sprintf("user%d@example.org", i))
	}
	f.cloud.SetPassword("admin", "another password")
	r := f.reconciler()
	for range 5 {
		f.batch(r)
		f.advance(time.Second)
	}
	if n := len(f.cloud.Calls()); n != 1 {
		t.Errorf("%d calls with a refused password, want 1: each is a failed login", n)
	}
	f.cloud.SetPassword("admin", adminPassword)
	f.advance(time.Hour)
	if got := f.batch(r); got.Succeeded != 5 {
		t.Errorf("after the cooldown: got %+v", got)
	}
}

func TestReconciler_ParksAndRetriesOnRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	page := nextcloudtest.Answer(http.StatusOK, "text/html", "<html>a login page</html>", 0)
	f.cloud.Fail(nextcloudtest.Times(100, page, nextcloudtest.On(http.MethodPost, "")))
	r := f.reconciler()
	for range 10 {
		f.batch(r)
		f.advance(time.Hour)
	}
	if n := f.known(a); n.Status != desired.Failed || n.LastError != reconcile.Unexpected || n.DueAt != nil {
		t.Fatalf("got row %+v", n)
	}
	f.cloud.Fail(nil)
	f.retry(a)
	f.batch(r)
	f.settled(a, adasPassword)
}

// TestReconciler_ProxyErrorPageParksNoAccount answers every call with the error page of a
// proxy.
func TestReconciler_ProxyErrorPageParksNoAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	f.cloud.Fail(func(*http.Request) nextcloudtest.Fault {
		return nextcloudtest.Answer(http.StatusOK, "text/html", "<html>bad gateway</html>", 0)
	})
	r := f.reconciler()
	for range 20 {
		f.batch(r)
		f.advance(time.Hour)
	}
	if n := f.known(a); n.Status != desired.Pending || n.Attempts != 0 || n.DueAt == nil {
		t.Errorf("got row %+v", n)
	}
	f.cloud.Fail(nil)
	f.batch(r)
	f.settled(a, adasPassword)
}

func TestReconciler_KeepsConcurrentChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	r := f.reconciler()
	a.FullName = "Ada King"
	changed := false
	reconcile.OnTrace(r, func(point string) {
		if point == "app password kept" && !changed {
			changed = true
			f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
		}
	})
	if _, err := r.RunBatch(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n := f.known(a); n.Status != desired.Pending || n.DueAt == nil {
		t.Errorf("the new desired state is reported as applied: %+v", n)
	}
	f.batch(r)
	f.settled(a, adasPassword)
}

func TestReconciler_NeverDeletesAForeignAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	f.cloud.AddUser("ada@example.org", "her own password", "")
	a := f.register("ada@example.org") // deleted before the first attempt to create it
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Deleted(ctx, tx, a, f.time()) })
	f.batch(f.reconciler())
	if u, ok := f.cloud.User("ada@example.org"); !ok || !u.Enabled {
		t.Errorf("the foreign account was deleted or disabled: %+v", u)
	}
}

func TestReconciler_LoopWakesUpAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	r := f.reconciler()
	settled := make(chan struct{}, 1)
	reconcile.OnTrace(r, func(point string) {
		if point == "settled" {
			settled <- struct{}{}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.Loop(ctx) })
	a := f.register("ada@example.org")
	r.Wake()
	<-settled
	cancel()
	wg.Wait()
	f.settled(a, adasPassword)
}
