package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// crowd runs batches of several workers in each of two processes at once.
func (w *world) crowd(processes ...*reconcile.Reconciler) (all reconcile.Result) {
	w.t.Helper()
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	for _, r := range processes {
		for range 8 {
			wg.Go(func() {
				res, err := r.RunBatch(w.t.Context(), 20)
				if err != nil {
					w.t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all.Succeeded += res.Succeeded
				all.Failed += res.Failed
			})
		}
	}
	wg.Wait()
	return all
}

func TestBreaker_RefusedAdministratorIsTriedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		first := w.register("first@example.org")
		one, two := w.reconciler(), w.reconciler()
		w.batch(one)
		for i := range 40 {
			w.register(fmt.Sprintf("user%d@example.org", i))
		}
		w.cloud.SetPassword("admin", "another password")
		restarted := w.reconciler()
		before := len(w.cloud.Calls())

		// Both were running when it changed: each worker may have a call on its way.
		w.crowd(one, two)
		inFlight := len(w.cloud.Calls()) - before
		if inFlight > 2*8*4 {
			t.Errorf("%d calls", inFlight)
		}
		for round := 1; round <= 3; round++ {
			w.advance(6 * time.Minute) // a cool-down and a little
			before := len(w.cloud.Calls())
			for range 5 {
				w.crowd(one, restarted)
				if _, err := one.Usage(t.Context(), w.known(first)); err != nil {
					t.Fatal(err)
				}
				w.advance(10 * time.Second)
			}
			if n := len(w.cloud.Calls()) - before; n != 1 {
				t.Errorf("round %d: %d calls with a refused password, want 1: each is a strike", round, n)
			}
		}
		w.cloud.SetPassword("admin", adminPassword)
		w.advance(10 * time.Minute)
		w.crowd(one, two)
		w.crowd(one, two)
		if got, err := db.NextcloudDue(t.Context(), w.time()); err != nil || got != 0 {
			t.Errorf("%d accounts are due after the password is right again, %v", got, err)
		}
	})
}

// Another password in the settings is another key: who has it need not wait.
func TestBreaker_NewCredentialsAreTriedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	wrong := w.settings
	wrong.Password = "what it used to be"
	old := reconcile.New(w.db, wrong, w.ring, w.time)
	w.batch(old)
	w.advance(time.Minute)
	w.retry(a)
	w.batch(w.reconciler())
	w.settled(a, adasPassword)
	before := len(w.cloud.Calls())
	w.register("bob@example.org")
	if got := w.batch(old); got.Attempted != 0 || len(w.cloud.Calls()) != before {
		t.Errorf("the refused credentials were used again: %+v", got)
	}
}

func TestBreaker_OneTrialAfterAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	for i := range 30 {
		w.register(fmt.Sprintf("user%d@example.org", i))
	}
	one, two := w.reconciler(), w.reconciler()
	down := true
	var mu sync.Mutex
	w.cloud.Fail(func(*http.Request) nextcloudtest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return nextcloudtest.Maintenance()
		}
		return nil
	})
	attempts := 0
	for range 60 { // an hour, minute by minute
		before := len(w.cloud.Calls())
		w.crowd(one, two)
		n := len(w.cloud.Calls()) - before
		if n > 1 {
			t.Fatalf("%d calls at once to a Nextcloud that is down", n)
		}
		attempts += n
		w.advance(time.Minute)
	}
	if attempts < 4 || attempts > 15 {
		t.Errorf("%d calls in an hour, want few, and not none", attempts)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	for range 40 {
		w.crowd(one, two)
		w.advance(time.Minute)
	}
	if list, err := w.db.NextcloudAccounts(t.Context(), desired.Active, store.Page{Limit: 100}); err != nil || len(list) != 30 {
		t.Errorf("%d of 30 are active after it came back, %v", len(list), err)
	}
}

// A process that is killed while it tries ends nothing: another one tries once
// its time is over.
func TestBreaker_AnotherProcessRepeatsALostTrial(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		r := w.reconciler()
		tries, end := make(chan struct{}), make(chan struct{})
		reconcile.OnTrace(r, func(string) { close(tries); <-end; panic(errCrash{}) })
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { crashes(func() { w.batch(r) }) })
		defer close(end)
		<-tries
		got := w.batch(w.reconciler())
		if got.Attempted != 0 || got.Remaining != 1 || got.WaitsFor == nil || *got.WaitsFor != store.BlockedByTrial {
			t.Errorf("somebody else tried at the same time: %+v", got)
		}
		w.advance(31 * time.Second)
		w.batch(w.reconciler())
		w.settled(a, adasPassword)
	})
}

func TestBreaker_NoTrialIfNothingIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	w.batch(w.reconciler())
	a := w.register("ada@example.org")
	w.batch(w.reconciler()) // the trial of the batch before has ended
	w.settled(a, adasPassword)
}

func TestReconciler_NewAccountsNeedNoAdministratorEdit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_GROUP": "voice assist"})
	const many = 70
	for i := range many {
		w.register(fmt.Sprintf("user%d@example.org", i))
	}
	r := w.reconciler()
	if got := w.batch(r); got.Succeeded != many {
		t.Errorf("got %+v", got)
	}
	for _, c := range w.cloud.Calls() {
		if c.User == "admin" && c.Method == http.MethodPut {
			t.Fatalf("%+v: the server takes 50 of those in ten minutes", c)
		}
	}
	for i := range many {
		if !w.cloud.Opens(fmt.Sprintf("user%d@example.org", i), adasPassword) {
			t.Errorf("user%d's password does not open the account", i)
		}
	}
}

func TestReconciler_PacesEditsToTheServersLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	const many = 120
	r := w.reconciler()
	for i := range many {
		a := w.register(fmt.Sprintf("user%d@example.org", i))
		w.batch(r)
		a.FullName = "Another Name"
		w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, w.time()) })
	}
	start, refused := w.time(), 0
	for left := many; left > 0; {
		if w.time().Sub(start) > 2*time.Hour {
			t.Fatalf("%d are left after two hours", left)
		}
		before := len(w.cloud.Calls())
		w.batch(r)
		w.batch(r)
		for _, c := range w.cloud.Calls()[before:] {
			if c.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		w.advance(time.Minute)
		list, err := w.db.NextcloudAccounts(t.Context(), desired.Active, store.Page{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		left = many - len(list)
	}
	// Four workers can meet the limit at once, each time that edits are taken again.
	if refused == 0 || refused > 20 {
		t.Errorf("%d edits were refused, want few: once it is known, nobody asks", refused)
	}
	if took := w.time().Sub(start); took < 20*time.Minute || took > 60*time.Minute {
		t.Errorf("%d edits took %v, and the server takes 50 in ten minutes", many, took)
	}
}
