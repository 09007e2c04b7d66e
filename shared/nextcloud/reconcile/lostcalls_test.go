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
func (f *fixture) converges(a account.Account, password secret.String, choose func(*http.Request) nextcloudtest.Fault) {
	f.t.Helper()
	for range 3 {
		f.cloud.Fail(choose)
		f.batch(f.reconciler())
		f.cloud.Fail(nil)
		n := f.known(a)
		if _, opens := f.apps(a); n.Status == desired.Active && !opens {
			f.t.Error("the account is active, but its files cannot be reached")
		}
		if n.LastError == reconcile.NoAppPassword || n.LastError == reconcile.PasswordRefused || n.LastError == reconcile.PasswordLost {
			f.t.Errorf("nothing was refused, but the account reports %s", n.LastError)
		}
		f.advance(time.Minute)
	}
	f.settled(a, password)
	f.advance(10 * time.Minute) // until older app passwords become invalid, unless the user logged in
	f.settled(a, password)
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
						f := newFixture(t, db, nil)
						a := f.register(fmt.Sprintf("ada%d@example.org", calls))
						password := adasPassword
						if change {
							f.batch(f.reconciler())
							password = adasNewPassword
							f.changePassword(a, password)
						}
						choose, reached := nth(calls, fault)
						f.converges(a, password, choose)
						met = reached() && calls < 40
						if t.Failed() {
							t.Errorf("after losing call %d", calls)
						}
						f.gone(a)
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
			f := newFixture(t, db, nil)
			a := f.register(fmt.Sprintf("ada%d@example.org", at))
			f.batch(f.reconciler())
			f.changePassword(a, adasNewPassword)
			r, seen := f.reconciler(), 0
			reconcile.OnTrace(r, func(string) {
				if seen++; seen == at {
					panic(errCrash{})
				}
			})
			crashed = crashes(func() { f.batch(r) })
			f.advance(time.Hour) // the lease expires
			f.converges(a, adasNewPassword, nil)
			f.gone(a)
		}
	})
}

// TestReconciler_KeepsThePasswordUntilFilesAreReachable has a Nextcloud that creates app
// passwords so slowly that the first requests time out.
func TestReconciler_KeepsThePasswordUntilFilesAreReachable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		const slow = 10 // more failures than it takes to park an account
		end := make(chan struct{})
		defer close(end)
		f.cloud.Fail(nextcloudtest.Times(slow, nextcloudtest.Slow(end), func(r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "/getapppassword")
		}))
		for range slow {
			r := f.reconciler()
			reconcile.Impatient(r, f.settings)
			f.batch(r)
			if n := f.known(a); n.Status != desired.Pending || n.LastError != reconcile.Unavailable || n.PendingPassword == nil || n.DueAt == nil {
				t.Errorf("after a timeout: got row %s, %s, due %v, password kept %v", n.Status, n.LastError, n.DueAt, n.PendingPassword != nil)
			}
			f.advance(20 * time.Minute)
		}
		f.batch(f.reconciler())
		f.settled(a, adasPassword)
		edits := 0
		for _, c := range f.cloud.Calls() {
			if c.Method == http.MethodPut {
				edits++
			}
		}
		if edits != 1 {
			t.Errorf("the password was set %d times, want once", edits)
		}
	})
}

func (f *fixture) changePassword(a account.Account, to secret.String) {
	f.t.Helper()
	f.update(func(ctx context.Context, tx *store.Tx) error {
		return f.recorder.PasswordChanged(ctx, tx, a, to, f.time())
	})
}

// gone removes a's account so that the next fixture can use this database.
func (f *fixture) gone(a account.Account) {
	f.t.Helper()
	f.update(func(ctx context.Context, tx *store.Tx) error {
		f.recorder.OnDelete = desired.Present
		return f.recorder.Deleted(ctx, tx, a, f.time())
	})
}
