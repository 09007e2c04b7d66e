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
func (f *fixture) openBreaker() {
	f.t.Helper()
	err := f.db.RecordNextcloudOutage(f.t.Context(), reconcile.Key(f.reconciler()), f.time(), f.time().Add(time.Second))
	if err != nil {
		f.t.Fatal(err)
	}
	f.advance(2 * time.Second)
}

// TestTrial_EndsWithAnyAnswer has accounts due first for which Nextcloud answers something
// unusual: the accounts after them are not delayed.
func TestTrial_EndsWithAnyAnswer(t *testing.T) {
	t.Parallel()
	crash := func(f *fixture) {
		f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
			if on("odd")(r) && r.Method == http.MethodGet {
				return nextcloudtest.Answer(http.StatusNotFound, "application/json",
					`{"ocs":{"meta":{"status":"failure","statuscode":418,"message":""},"data":[]}}`, 0)
			}
			return nil
		})
	}
	limit := func(f *fixture) {
		f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
			if on("odd")(r) {
				return nextcloudtest.Answer(http.StatusTooManyRequests, "", "", 0)
			}
			return nil
		})
	}
	remove := func(f *fixture) {
		for i := range 3 {
			f.cloud.RemoveUser(fmt.Sprintf("odd%d@example.org", i))
		}
	}
	for name, c := range map[string]struct {
		made    bool
		prepare func(f *fixture)
	}{
		"removed accounts": {true, remove},
		"lost passwords": {false, func(f *fixture) {
			ring, err := keyring.New(keyring.Generate())
			if err != nil {
				f.t.Fatal(err)
			}
			f.ring, f.recorder.Box = ring, seal.New(ring.Derive(desired.Purpose))
		}},
		"an unknown answer": {true, crash},
		"a rate limit":      {true, limit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				f := newFixture(t, db, nil)
				for i := range 3 {
					f.register(fmt.Sprintf("odd%d@example.org", i))
				}
				if c.made {
					f.batch(f.reconciler())
					f.recheck()
				}
				c.prepare(f)
				f.openBreaker()
				ada := f.register("ada@example.org")
				r := f.reconciler()
				for range 2 {
					f.batch(r)
				}
				if n := f.known(ada); n.Status != desired.Active {
					t.Errorf("another account is delayed: %+v", n)
				}
			})
		})
	}
}

// TestTrial_EndsWithItsCaller stops the trial's caller in every possible way.
func TestTrial_EndsWithItsCaller(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(f *fixture, r *reconcile.Reconciler){
		"a panic": func(f *fixture, r *reconcile.Reconciler) {
			reconcile.OnTrace(r, func(string) { panic(errCrash{}) })
			if !crashes(func() { f.batch(r) }) {
				f.t.Fatal("it did not panic")
			}
		},
		"the end of the batch's context": func(f *fixture, r *reconcile.Reconciler) {
			ctx, cancel := context.WithCancel(f.t.Context())
			f.cloud.Fail(func(*http.Request) nextcloudtest.Fault { cancel(); return nextcloudtest.CutBefore() })
			if _, err := r.RunBatch(ctx, 10); err == nil {
				f.t.Error("got no error")
			}
		},
		"the end of a comparison's context": func(f *fixture, r *reconcile.Reconciler) {
			ctx, cancel := context.WithCancel(f.t.Context())
			f.cloud.Fail(func(*http.Request) nextcloudtest.Fault { cancel(); return nextcloudtest.CutBefore() })
			if _, err := r.Compare(ctx); err == nil {
				f.t.Error("got no error")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				f := newFixture(t, db, nil)
				f.openBreaker()
				f.register("ada@example.org")
				stop(f, f.reconciler())
				f.cloud.Fail(nil)
				bob := f.register("bob@example.org")
				f.batch(f.reconciler())
				if n := f.known(bob); n.Status != desired.Active {
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
				f := newFixture(t, db, nil)
				a := f.register("ada@example.org")
				wrong := f.settings
				spoil(&wrong)
				old := reconcile.New(f.db, wrong, f.ring, f.time)
				for range 2 { // detects the refusal, then waits
					got := f.batch(old)
					if got.Attempted != 0 || got.Remaining != 1 || got.WaitsFor == nil || *got.WaitsFor != hold ||
						got.NextAttemptAt == nil || !got.NextAttemptAt.After(f.time()) {
						t.Errorf("while blocked: got %+v", got)
					}
				}
				if got := f.batch(f.reconciler()); got != (reconcile.Result{Attempted: 1, Succeeded: 1}) {
					t.Errorf("after the correction: got %+v", got)
				}
				f.settled(a, adasPassword)
			})
		})
	}
}

// TestBreaker_TriesEachWrongCredentialOnce rolls out one wrong password, then another, then
// the right one, to processes that run meanwhile.
func TestBreaker_TriesEachWrongCredentialOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		f.register("ada@example.org")
		var wrong []*reconcile.Reconciler
		for _, password := range []string{"one", "two", "three"} {
			s := f.settings
			s.Password = secret.String(password)
			wrong = append(wrong, reconcile.New(f.db, s, f.ring, f.time))
		}
		for range 5 {
			for _, r := range wrong {
				f.batch(r)
			}
			f.advance(10 * time.Second)
		}
		if n := f.cloud.FailedLogins(); n != len(wrong) {
			t.Errorf("%d failed logins for %d passwords, want one each", n, len(wrong))
		}
		right := f.reconciler()
		f.batch(right)
		for i := range 30 { // ten minutes
			b := f.register(fmt.Sprintf("bob%d@example.org", i))
			for _, r := range wrong {
				f.batch(r)
			}
			f.batch(right)
			if n := f.known(b); n.Status != desired.Active {
				t.Fatalf("round %d: processes with old passwords block those with the new one: %+v", i, n)
			}
			f.advance(20 * time.Second)
		}
	})
}

// TestBreaker_OneFailingAccountDelaysNoOther has a Nextcloud that answers everything except
// requests about one account.
func TestBreaker_OneFailingAccountDelaysNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	odd := f.register("odd@example.org")
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if on("odd")(r) {
			return nextcloudtest.Crash()
		}
		return nil
	})
	r := f.reconciler()
	for i := range 12 {
		b := f.register(fmt.Sprintf("bob%d@example.org", i))
		f.batch(r)
		if n := f.known(b); n.Status != desired.Active {
			t.Fatalf("round %d: another account is delayed: %+v", i, n)
		}
		f.advance(20 * time.Minute)
	}
	n := f.known(odd)
	if n.Status != desired.Pending || n.LastError != reconcile.Unavailable || n.DueAt.Sub(f.time()) > 15*time.Minute {
		t.Errorf("the account is no longer retried: %s, %s", n.Status, n.LastError)
	}
	f.cloud.Fail(nil)
	f.batch(r)
	if n := f.known(odd); n.Status != desired.Active {
		t.Errorf("the account was not created: %s, %s", n.Status, n.LastError)
	}
}
