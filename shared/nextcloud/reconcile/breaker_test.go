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

// runConcurrently runs batches of several workers in each process at once.
func (f *fixture) runConcurrently(processes ...*reconcile.Reconciler) (all reconcile.Result) {
	f.t.Helper()
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	for _, r := range processes {
		for range 8 {
			wg.Go(func() {
				res, err := r.RunBatch(f.t.Context(), 20)
				if err != nil {
					f.t.Error(err)
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
		f := newFixture(t, db, nil)
		first := f.register("first@example.org")
		one, two := f.reconciler(), f.reconciler()
		f.batch(one)
		for i := range 40 {
			f.register(fmt.Sprintf("user%d@example.org", i))
		}
		f.cloud.SetAllowListed(true) // or the calls in flight lock the address out
		f.cloud.SetPassword("admin", "another password")
		restarted := f.reconciler()
		before := len(f.cloud.Calls())

		// Both were running during the change: each worker may have a call in flight.
		f.runConcurrently(one, two)
		inFlight := len(f.cloud.Calls()) - before
		if inFlight > 2*8*8 {
			t.Errorf("got %d calls", inFlight)
		}
		for round := 1; round <= 3; round++ {
			f.advance(6 * time.Minute) // just over one cooldown
			before := len(f.cloud.Calls())
			for range 5 {
				f.runConcurrently(one, restarted)
				if _, err := one.Usage(t.Context(), f.known(first)); err != nil {
					t.Fatal(err)
				}
				f.advance(10 * time.Second)
			}
			if n := len(f.cloud.Calls()) - before; n != 1 {
				t.Errorf("round %d: %d calls with a refused password, want 1: each is a failed login", round, n)
			}
		}
		f.cloud.SetPassword("admin", adminPassword)
		f.advance(10 * time.Minute)
		f.runConcurrently(one, two)
		f.runConcurrently(one, two)
		if got, err := db.NextcloudDue(t.Context(), f.time()); err != nil || got != 0 {
			t.Errorf("%d accounts are due after the password is correct again, %v", got, err)
		}
	})
}

// Settings with another password have another key, so their processes need not wait.
func TestBreaker_NewCredentialsAreTriedAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	wrong := f.settings
	wrong.Password = "what it used to be"
	old := reconcile.New(f.db, wrong, f.ring, f.time)
	f.batch(old)
	f.advance(time.Minute)
	f.retry(a)
	f.batch(f.reconciler())
	f.settled(a, adasPassword)
	before := len(f.cloud.Calls())
	f.register("bob@example.org")
	if got := f.batch(old); got.Attempted != 0 || len(f.cloud.Calls()) != before {
		t.Errorf("the refused credentials were used again: got %+v", got)
	}
}

func TestBreaker_OneTrialAfterAnOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for i := range 30 {
		f.register(fmt.Sprintf("user%d@example.org", i))
	}
	one, two := f.reconciler(), f.reconciler()
	down := true
	var mu sync.Mutex
	f.cloud.Fail(func(*http.Request) nextcloudtest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return nextcloudtest.Maintenance()
		}
		return nil
	})
	attempts := 0
	for range 60 { // an hour, minute by minute
		before := len(f.cloud.Calls())
		f.runConcurrently(one, two)
		n := len(f.cloud.Calls()) - before
		if n > 1 {
			t.Fatalf("%d concurrent calls to a Nextcloud that is down", n)
		}
		attempts += n
		f.advance(time.Minute)
	}
	if attempts < 4 || attempts > 15 {
		t.Errorf("%d calls in an hour, want a few", attempts)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	for range 40 {
		f.runConcurrently(one, two)
		f.advance(time.Minute)
	}
	if list, err := f.db.NextcloudAccounts(t.Context(), desired.Active, store.Page{Limit: 100}); err != nil || len(list) != 30 {
		t.Errorf("%d of 30 accounts are active after the outage, %v", len(list), err)
	}
}

// A process that is killed during the trial does not end it: another process repeats the trial
// after its timeout.
func TestBreaker_AnotherProcessRepeatsALostTrial(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		r := f.reconciler()
		tries, end := make(chan struct{}), make(chan struct{})
		reconcile.OnTrace(r, func(string) { close(tries); <-end; panic(errCrash{}) })
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { crashes(func() { f.batch(r) }) })
		defer close(end)
		<-tries
		got := f.batch(f.reconciler())
		if got.Attempted != 0 || got.Remaining != 1 || got.WaitsFor == nil || *got.WaitsFor != store.BlockedByTrial {
			t.Errorf("another process tried at the same time: got %+v", got)
		}
		f.advance(31 * time.Second)
		f.batch(f.reconciler())
		f.settled(a, adasPassword)
	})
}

func TestBreaker_NoTrialIfNothingIsDue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.batch(f.reconciler())
	a := f.register("ada@example.org")
	f.batch(f.reconciler()) // the trial of the previous batch has ended
	f.settled(a, adasPassword)
}

func TestReconciler_NewAccountsNeedNoAdministratorEdit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_GROUP": "voice assist"})
	const many = 70
	for i := range many {
		f.register(fmt.Sprintf("user%d@example.org", i))
	}
	r := f.reconciler()
	if got := f.batch(r); got.Succeeded != many {
		t.Errorf("got %+v", got)
	}
	for _, c := range f.cloud.Calls() {
		if c.User == "admin" && c.Method == http.MethodPut {
			t.Fatalf("got call %+v: the server allows only 50 edits in ten minutes", c)
		}
	}
	for i := range many {
		if !f.cloud.ValidCredentials(fmt.Sprintf("user%d@example.org", i), adasPassword) {
			t.Errorf("the password of user%d does not work", i)
		}
	}
}

func TestReconciler_PacesEditsToTheServersLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	const many = 120
	r := f.reconciler()
	for i := range many {
		a := f.register(fmt.Sprintf("user%d@example.org", i))
		f.batch(r)
		a.FullName = "Another Name"
		f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
	}
	start, refused := f.time(), 0
	for left := many; left > 0; {
		if f.time().Sub(start) > 2*time.Hour {
			t.Fatalf("%d accounts are still due after two hours", left)
		}
		before := len(f.cloud.Calls())
		f.batch(r)
		f.batch(r)
		for _, c := range f.cloud.Calls()[before:] {
			if c.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		f.advance(time.Minute)
		list, err := f.db.NextcloudAccounts(t.Context(), desired.Active, store.Page{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		left = many - len(list)
	}
	// Four workers can hit the limit at once, each time that edits are allowed again.
	if refused == 0 || refused > 20 {
		t.Errorf("%d edits were refused, want few: workers share the known limit", refused)
	}
	if took := f.time().Sub(start); took < 20*time.Minute || took > 60*time.Minute {
		t.Errorf("%d edits took %v, although the server allows 50 in ten minutes", many, took)
	}
}
