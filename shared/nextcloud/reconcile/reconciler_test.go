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
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		if got := w.batch(w.reconciler()); got != (reconcile.Result{Attempted: 1, Succeeded: 1}) {
			t.Errorf("got %+v", got)
		}
		w.settled(a, adasPassword)
		if n := w.known(a); n.NextcloudID != "ada@example.org" || n.Total == nil || *n.Total != 5<<30 {
			t.Errorf("got %+v", n)
		}
		calls := len(w.cloud.Calls())
		if got := w.batch(w.reconciler()); got != (reconcile.Result{}) || len(w.cloud.Calls()) != calls {
			t.Errorf("with nothing to do: got %+v, %d calls", got, len(w.cloud.Calls())-calls)
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
				w := newWorld(t, db, map[string]string{})
				a := w.register(fmt.Sprintf("ada%d@example.org", at))
				r := w.reconciler()
				seen := 0
				reconcile.OnTrace(r, func(string) {
					if seen++; seen == at {
						panic(errCrash{})
					}
				})
				if !crashes(func() { w.batch(r) }) {
					points = at - 1 // it ran to completion
				}
				w.advance(time.Hour) // the lease expires
				for range 3 {
					w.batch(w.reconciler())
				}
				w.settled(a, adasPassword)
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
				w := newWorld(t, storetest.SQLite(t), nil)
				a := w.register("ada@example.org")
				w.cloud.Fail(nextcloudtest.Times(1, fault, nextcloudtest.On(method, "")))
				r := w.reconciler()
				for range 4 {
					w.batch(r)
					w.advance(time.Hour)
				}
				w.settled(a, adasPassword)
			})
		}
	}
}

func TestReconciler_ConcurrentRunsDoNothingTwice(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const people = 10
		w := newWorld(t, db, nil)
		for i := range people {
			w.register(fmt.Sprintf("user%d@example.org", i))
		}
		var wg sync.WaitGroup
		results := make([]reconcile.Result, 2)
		for i := range results {
			r := w.reconciler()
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
		for _, c := range w.cloud.Calls() {
			if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/users") {
				creates++
			}
		}
		if creates != people || len(w.cloud.Users()) != people+1 {
			t.Errorf("%d create calls for %d people, %d users", creates, people, len(w.cloud.Users()))
		}
	})
}

func TestReconciler_NeverTouchesAForeignAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	w.cloud.AddUser("ada@example.org", "her own password", "somebody@example.com")
	a := w.register("ada@example.org")
	w.batch(w.reconciler())
	if n := w.known(a); n.Status != desired.Conflict || n.LastError != reconcile.IDTaken || n.Owned || n.DueAt != nil {
		t.Errorf("got row %+v", n)
	}
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Deleted(ctx, tx, a, w.time()) })
	w.batch(w.reconciler())
	u, ok := w.cloud.User("ada@example.org")
	if !ok || !u.Enabled || u.Email != "somebody@example.com" || !w.cloud.Opens("ada@example.org", "her own password") {
		t.Errorf("the foreign account was changed: %+v", u)
	}
}

func TestReconciler_AppliesTheDesiredState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)

	a.Email, a.FullName = "countess@example.org", "Ada King"
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, w.time()) })
	w.update(func(ctx context.Context, tx *store.Tx) error {
		return w.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", w.time())
	})
	w.batch(r)
	w.settled(a, "an entirely new passphrase")
	w.advance(10 * time.Minute) // until older app passwords become invalid, unless the user logged in
	w.settled(a, "an entirely new passphrase")
	if n := w.known(a); n.NextcloudID != "ada@example.org" {
		t.Errorf("the Nextcloud ID changed with the address: %s", n.NextcloudID)
	}

	disabled := w.time()
	a.DisabledAt = &disabled
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, w.time()) })
	w.batch(r)
	if u, _ := w.cloud.User("ada@example.org"); u.Enabled || w.known(a).Status != desired.Inactive {
		t.Errorf("account not disabled: %+v", u)
	}

	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Deleted(ctx, tx, a, w.time()) })
	w.batch(r)
	if _, there := w.cloud.User("ada@example.org"); there {
		t.Error("account not deleted")
	}
	if _, err := w.db.NextcloudAccount(t.Context(), a.ID); err == nil {
		t.Error("the row outlived the deletion")
	}
}

func TestReconciler_RecreatesALostAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	w.cloud.RemoveUser("ada@example.org")
	if _, err := w.db.RecheckNextcloud(t.Context(), w.time()); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	w.batch(r)
	if n := w.known(a); n.Status != desired.Active || !n.Owned {
		t.Errorf("got row %+v", n)
	}
	if _, there := w.cloud.User("ada@example.org"); !there {
		t.Error("the account was not recreated")
	}
}

func TestReconciler_StopsIfTheAdministratorIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	for i := range 5 {
		w.register(fmt.Sprintf("user%d@example.org", i))
	}
	w.cloud.SetPassword("admin", "another password")
	r := w.reconciler()
	for range 5 {
		w.batch(r)
		w.advance(time.Second)
	}
	if n := len(w.cloud.Calls()); n != 1 {
		t.Errorf("%d calls with a refused password, want 1: each is a failed login", n)
	}
	w.cloud.SetPassword("admin", adminPassword)
	w.advance(time.Hour)
	if got := w.batch(r); got.Succeeded != 5 {
		t.Errorf("after the cooldown: got %+v", got)
	}
}

func TestReconciler_ParksAndRetriesOnRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	page := nextcloudtest.Answer(http.StatusOK, "text/html", "<html>a login page</html>", 0)
	w.cloud.Fail(nextcloudtest.Times(100, page, nextcloudtest.On(http.MethodPost, "")))
	r := w.reconciler()
	for range 10 {
		w.batch(r)
		w.advance(time.Hour)
	}
	if n := w.known(a); n.Status != desired.Failed || n.LastError != reconcile.Unexpected || n.DueAt != nil {
		t.Fatalf("got row %+v", n)
	}
	w.cloud.Fail(nil)
	w.retry(a)
	w.batch(r)
	w.settled(a, adasPassword)
}

// TestReconciler_ProxyErrorPageParksNoAccount answers every call with the error page of a
// proxy.
func TestReconciler_ProxyErrorPageParksNoAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	w.cloud.Fail(func(*http.Request) nextcloudtest.Fault {
		return nextcloudtest.Answer(http.StatusOK, "text/html", "<html>bad gateway</html>", 0)
	})
	r := w.reconciler()
	for range 20 {
		w.batch(r)
		w.advance(time.Hour)
	}
	if n := w.known(a); n.Status != desired.Pending || n.Attempts != 0 || n.DueAt == nil {
		t.Errorf("got row %+v", n)
	}
	w.cloud.Fail(nil)
	w.batch(r)
	w.settled(a, adasPassword)
}

func TestReconciler_KeepsConcurrentChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	r := w.reconciler()
	a.FullName = "Ada King"
	changed := false
	reconcile.OnTrace(r, func(point string) {
		if point == "app password kept" && !changed {
			changed = true
			w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, w.time()) })
		}
	})
	if _, err := r.RunBatch(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n := w.known(a); n.Status != desired.Pending || n.DueAt == nil {
		t.Errorf("the new desired state is reported as applied: %+v", n)
	}
	w.batch(r)
	w.settled(a, adasPassword)
}

func TestReconciler_NeverDeletesAForeignAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "delete"})
	w.cloud.AddUser("ada@example.org", "her own password", "")
	a := w.register("ada@example.org") // deleted before the first attempt to create it
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Deleted(ctx, tx, a, w.time()) })
	w.batch(w.reconciler())
	if u, ok := w.cloud.User("ada@example.org"); !ok || !u.Enabled {
		t.Errorf("the foreign account was deleted or disabled: %+v", u)
	}
}

func TestReconciler_LoopWakesUpAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	r := w.reconciler()
	settled := make(chan struct{}, 1)
	reconcile.OnTrace(r, func(point string) {
		if point == "settled" {
			settled <- struct{}{}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.Loop(ctx) })
	a := w.register("ada@example.org")
	r.Wake()
	<-settled
	cancel()
	wg.Wait()
	w.settled(a, adasPassword)
}
