package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// openBreaker opens the circuit breaker as an outage does, and waits until the outage is over.
func (w *world) openBreaker() {
	w.t.Helper()
	err := w.db.RecordNextcloudOutage(w.t.Context(), reconcile.Key(w.reconciler()), w.time(), w.time().Add(time.Second))
	if err != nil {
		w.t.Fatal(err)
	}
	w.advance(2 * time.Second)
}

// TestTrial_EndsWithAnyAnswer has accounts due first for which Nextcloud answers something
// unusual: the accounts after them are not delayed.
func TestTrial_EndsWithAnyAnswer(t *testing.T) {
	t.Parallel()
	crash := func(w *world) {
		w.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
			if on("odd")(r) && r.Method == http.MethodGet {
				return nextcloudtest.Answer(http.StatusNotFound, "application/json",
					`{"ocs":{"meta":{"status":"failure","statuscode":418,"message":""},"data":[]}}`, 0)
			}
			return nil
		})
	}
	limit := func(w *world) {
		w.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
			if on("odd")(r) {
				return nextcloudtest.Answer(http.StatusTooManyRequests, "", "", 0)
			}
			return nil
		})
	}
	remove := func(w *world) {
		for i := range 3 {
			w.cloud.RemoveUser(fmt.Sprintf("odd%d@example.org", i))
		}
	}
	for name, c := range map[string]struct {
		made    bool
		prepare func(w *world)
	}{
		"removed accounts": {true, remove},
		"lost passwords": {false, func(w *world) {
			ring, err := keyring.New(keyring.Generate())
			if err != nil {
				w.t.Fatal(err)
			}
			w.ring, w.recorder.Box = ring, seal.New(ring.Derive(desired.Purpose))
		}},
		"an unknown answer": {true, crash},
		"a rate limit":      {true, limit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db, nil)
				for i := range 3 {
					w.register(fmt.Sprintf("odd%d@example.org", i))
				}
				if c.made {
					w.batch(w.reconciler())
					w.recheck()
				}
				c.prepare(w)
				w.openBreaker()
				ada := w.register("ada@example.org")
				r := w.reconciler()
				for range 2 {
					w.batch(r)
				}
				if n := w.known(ada); n.Status != desired.Active {
					t.Errorf("another account is delayed: %+v", n)
				}
			})
		})
	}
}

// TestTrial_EndsWithItsCaller stops the trial's caller in every possible way.
func TestTrial_EndsWithItsCaller(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(w *world, r *reconcile.Reconciler){
		"a panic": func(w *world, r *reconcile.Reconciler) {
			reconcile.OnTrace(r, func(string) { panic(errCrash{}) })
			if !crashes(func() { w.batch(r) }) {
				w.t.Fatal("it did not panic")
			}
		},
		"the end of the batch's context": func(w *world, r *reconcile.Reconciler) {
			ctx, cancel := context.WithCancel(w.t.Context())
			w.cloud.Fail(func(*http.Request) nextcloudtest.Fault { cancel(); return nextcloudtest.CutBefore() })
			if _, err := r.RunBatch(ctx, 10); err == nil {
				w.t.Error("got no error")
			}
		},
		"the end of a comparison's context": func(w *world, r *reconcile.Reconciler) {
			ctx, cancel := context.WithCancel(w.t.Context())
			w.cloud.Fail(func(*http.Request) nextcloudtest.Fault { cancel(); return nextcloudtest.CutBefore() })
			if _, err := r.Compare(ctx); err == nil {
				w.t.Error("got no error")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db, nil)
				w.openBreaker()
				w.register("ada@example.org")
				stop(w, w.reconciler())
				w.cloud.Fail(nil)
				bob := w.register("bob@example.org")
				w.batch(w.reconciler())
				if n := w.known(bob); n.Status != desired.Active {
					t.Errorf("another account is delayed: %+v", n)
				}
			})
		})
	}
}

// TestBreaker_CorrectedSettingsResumeAtOnce restarts with the right settings after wrong ones,
// and checks before and after what is blocked.
func TestBreaker_CorrectedSettingsResumeAtOnce(t *testing.T) {
	t.Parallel()
	nowhere, err := url.Parse("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	for hold, spoil := range map[store.BlockReason]func(*reconcile.Settings){
		store.BlockedByRefusal: func(s *reconcile.Settings) { s.Password = "what it used to be" },
		store.BlockedByOutage:  func(s *reconcile.Settings) { s.URL = nowhere },
	} {
		t.Run(string(hold), func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db, nil)
				a := w.register("ada@example.org")
				wrong := w.settings
				spoil(&wrong)
				old := reconcile.New(w.db, wrong, w.ring, w.time)
				for range 2 { // detects the refusal, then waits
					got := w.batch(old)
					if got.Attempted != 0 || got.Remaining != 1 || got.WaitsFor == nil || *got.WaitsFor != hold ||
						got.NextAttemptAt == nil || !got.NextAttemptAt.After(w.time()) {
						t.Errorf("while blocked: got %+v", got)
					}
				}
				if got := w.batch(w.reconciler()); got != (reconcile.Result{Attempted: 1, Succeeded: 1}) {
					t.Errorf("after the correction: got %+v", got)
				}
				w.settled(a, adasPassword)
			})
		})
	}
}

// TestBreaker_TriesEachWrongCredentialOnce rolls out one wrong password, then another, then
// the right one, to processes that run meanwhile.
func TestBreaker_TriesEachWrongCredentialOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		w.register("ada@example.org")
		var wrong []*reconcile.Reconciler
		for _, password := range []string{"one", "two", "three"} {
			s := w.settings
			s.Password = secret.String(password)
			wrong = append(wrong, reconcile.New(w.db, s, w.ring, w.time))
		}
		for range 5 {
			for _, r := range wrong {
				w.batch(r)
			}
			w.advance(10 * time.Second)
		}
		if n := w.cloud.FailedLogins(); n != len(wrong) {
			t.Errorf("%d failed logins for %d passwords, want one each", n, len(wrong))
		}
		right := w.reconciler()
		w.batch(right)
		for i := range 30 { // ten minutes
			b := w.register(fmt.Sprintf("bob%d@example.org", i))
			for _, r := range wrong {
				w.batch(r)
			}
			w.batch(right)
			if n := w.known(b); n.Status != desired.Active {
				t.Fatalf("round %d: processes with old passwords block those with the new one: %+v", i, n)
			}
			w.advance(20 * time.Second)
		}
	})
}

// TestBreaker_OneFailingAccountDelaysNoOther has a Nextcloud that answers everything except
// requests about one account.
func TestBreaker_OneFailingAccountDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	odd := w.register("odd@example.org")
	w.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if on("odd")(r) {
			return nextcloudtest.Crash()
		}
		return nil
	})
	r := w.reconciler()
	for i := range 12 {
		b := w.register(fmt.Sprintf("bob%d@example.org", i))
		w.batch(r)
		if n := w.known(b); n.Status != desired.Active {
			t.Fatalf("round %d: another account is delayed: %+v", i, n)
		}
		w.advance(20 * time.Minute)
	}
	n := w.known(odd)
	if n.Status != desired.Pending || n.LastError != reconcile.Unavailable || n.DueAt.Sub(w.time()) > 15*time.Minute {
		t.Errorf("the account is no longer retried: %s, %s", n.Status, n.LastError)
	}
	w.cloud.Fail(nil)
	w.batch(r)
	if n := w.known(odd); n.Status != desired.Active {
		t.Errorf("the account was not created: %s, %s", n.Status, n.LastError)
	}
}
