package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const adasNewPassword = secret.String("an entirely new passphrase")

// nth answers the nth call from now on with fault.
func nth(n int64, fault nextcloudtest.Fault) (choose func(*http.Request) nextcloudtest.Fault, met func() bool) {
	var calls atomic.Int64
	return func(*http.Request) nextcloudtest.Fault {
		if calls.Add(1) == n {
			return fault
		}
		return nil
	}, func() bool { return calls.Load() >= n }
}

// converges runs batches until a is in the desired state with that password. It fails the test
// if the account is active while its files are unreachable, or if it reports a refusal
// although there was none.
func (w *world) converges(a account.Account, password secret.String, choose func(*http.Request) nextcloudtest.Fault) {
	w.t.Helper()
	for range 3 {
		w.cloud.Fail(choose)
		w.batch(w.reconciler())
		w.cloud.Fail(nil)
		n := w.known(a)
		if _, opens := w.apps(a); n.Status == desired.Active && !opens {
			w.t.Error("the account is active, but its files cannot be reached")
		}
		if n.LastError == reconcile.NoAppPassword || n.LastError == reconcile.PasswordRefused || n.LastError == reconcile.PasswordLost {
			w.t.Errorf("nothing was refused, but the account reports %s", n.LastError)
		}
		w.advance(time.Minute)
	}
	w.settled(a, password)
	w.advance(10 * time.Minute) // until older app passwords become invalid, unless the user logged in
	w.settled(a, password)
}

// TestReconciler_SurvivesEveryLostCall loses each single call of an account's
// provisioning, and of a change of its password, before and after its effect.
func TestReconciler_SurvivesEveryLostCall(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]nextcloudtest.Fault{
		"lost": nextcloudtest.CutBefore(), "answer lost": nextcloudtest.CutAfter(), "crash after the effect": nextcloudtest.CrashAfter(),
	} {
		for _, change := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/change %v", name, change), func(t *testing.T) {
				t.Parallel()
				storetest.Each(t, func(t *testing.T, db *store.DB) {
					calls := int64(0)
					for met := true; met && !t.Failed(); {
						calls++
						w := newWorld(t, db, nil)
						a := w.register(fmt.Sprintf("ada%d@example.org", calls))
						password := adasPassword
						if change {
							w.batch(w.reconciler())
							password = adasNewPassword
							w.changePassword(a, password)
						}
						choose, reached := nth(calls, fault)
						w.converges(a, password, choose)
						met = reached() && calls < 40
						if t.Failed() {
							t.Errorf("after losing call %d", calls)
						}
						w.gone(a)
					}
				})
			})
		}
	}
}

// TestReconciler_SurvivesACrashDuringAPasswordChange stops after every call and commit of the
// change, in turn.
func TestReconciler_SurvivesACrashDuringAPasswordChange(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for at, crashed := 1, true; crashed && !t.Failed(); at++ {
			w := newWorld(t, db, nil)
			a := w.register(fmt.Sprintf("ada%d@example.org", at))
			w.batch(w.reconciler())
			w.changePassword(a, adasNewPassword)
			r, seen := w.reconciler(), 0
			reconcile.OnTrace(r, func(string) {
				if seen++; seen == at {
					panic(errCrash{})
				}
			})
			crashed = crashes(func() { w.batch(r) })
			w.advance(time.Hour) // the lease expires
			w.converges(a, adasNewPassword, nil)
			w.gone(a)
		}
	})
}

// TestReconciler_KeepsThePasswordUntilFilesAreReachable has a Nextcloud that creates app
// passwords so slowly that the first requests time out.
func TestReconciler_KeepsThePasswordUntilFilesAreReachable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		const slow = 10 // more failures than it takes to park an account
		end := make(chan struct{})
		defer close(end)
		w.cloud.Fail(nextcloudtest.Times(slow, nextcloudtest.Slow(end), func(r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/getapppassword")
		}))
		for range slow {
			r := w.reconciler()
			reconcile.Impatient(r, w.settings)
			w.batch(r)
			if n := w.known(a); n.Status != desired.Pending || n.LastError != reconcile.Unavailable || n.PendingPassword == nil || n.DueAt == nil {
				t.Errorf("after a timeout: got row %s, %s, due %v, password kept %v", n.Status, n.LastError, n.DueAt, n.PendingPassword != nil)
			}
			w.advance(20 * time.Minute)
		}
		w.batch(w.reconciler())
		w.settled(a, adasPassword)
		edits := 0
		for _, c := range w.cloud.Calls() {
			if c.Method == http.MethodPut {
				edits++
			}
		}
		if edits != 1 {
			t.Errorf("the password was set %d times, want once", edits)
		}
	})
}

func (w *world) changePassword(a account.Account, to secret.String) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		return w.recorder.PasswordChanged(ctx, tx, a, to, w.time())
	})
}

// gone removes a's account so that the next world can use this database.
func (w *world) gone(a account.Account) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		w.recorder.OnDelete = desired.Present
		return w.recorder.Deleted(ctx, tx, a, w.time())
	})
}
