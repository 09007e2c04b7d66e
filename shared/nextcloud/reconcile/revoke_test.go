package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const freshPassword = secret.String("an entirely new passphrase")

// login starts a login of a, which an app password requires.
func (w *world) login(a account.Account) signin.ID {
	w.t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", w.time(), signin.Lifetimes{Idle: signin.DefaultIdle})
	if err := w.db.StartLogin(w.t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, w.time())); err != nil {
		w.t.Fatal(err)
	}
	return l.ID
}

// appPasswords returns those of the world's Nextcloud.
func (w *world) appPasswords() *access.AppPasswords {
	env := config.Map(map[string]string{"NEXTCLOUD_URL": w.url})
	return access.NewStorage(*setting.Of[nextcloud.Server](env), w.db, w.ring, w.time).AppPasswords()
}

// issue creates n app passwords for a, confirmed with the current password.
func (w *world) issue(a account.Account, own secret.String, n int) []secret.String {
	w.t.Helper()
	apps := w.appPasswords()
	by := signin.NewProof(a.ID, w.login(a)).WithPassword("hash")
	var made []secret.String
	for range n {
		event := audit.New(audit.AppIssued, a.ID, audit.Origin{}, w.time())
		i, err := apps.Issue(w.t.Context(), by, "x", own, event)
		if err != nil {
			w.t.Fatal(err)
		}
		made = append(made, i.Password)
	}
	return made
}

// withdraw requests the revocation of all app passwords of a, with a change of password unless
// plain is "".
func (w *world) withdraw(a account.Account, plain secret.String) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		if err := w.recorder.RevokeAppPasswords(ctx, tx, audit.New(audit.PasswordChanged, a.ID, audit.Origin{}, w.time())); err != nil {
			return err
		}
		if plain == "" {
			return nil
		}
		return w.recorder.PasswordChanged(ctx, tx, a, plain, w.time())
	})
}

// revocations returns the states of a's pending revocations.
func (w *world) revocations(a account.Account) string {
	w.t.Helper()
	list, err := w.db.Revocations(w.t.Context(), a.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var states []string
	for _, r := range list {
		states = append(states, string(r.State))
	}
	return strings.Join(states, " ")
}

// revoked fails the test if one of the app passwords works for a's account, now or after a
// login with the password.
func (w *world) revoked(a account.Account, made []secret.String, password secret.String) {
	w.t.Helper()
	id := w.known(a).NextcloudID
	if _, err := w.client().Authenticate(w.t.Context(), id, password); err != nil {
		w.t.Errorf("the password does not work: %v", err)
	}
	for i, app := range made {
		if w.cloud.Opens(id, app) {
			w.t.Errorf("app password %d of %d still works", i+1, len(made))
		}
	}
}

// first returns the index of the first call with that method and end of path, or fails the
// test.
func first(t *testing.T, calls []nextcloudtest.Call, method, suffix string) int {
	t.Helper()
	for i, c := range calls {
		if c.Method == method && strings.HasSuffix(c.Path, suffix) {
			return i
		}
	}
	t.Fatalf("no call %s …%s in %+v", method, suffix, calls)
	return 0
}

// A login with the new password would revive app passwords that the change invalidated.
func TestReconciler_RevokesBeforeItChangesThePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		r := w.reconciler()
		w.batch(r)
		made := w.issue(a, adasPassword, 3)
		calls := len(w.cloud.Calls())
		w.withdraw(a, freshPassword)
		if got := w.revocations(a); got != "wanted wanted wanted" || !w.cloud.Opens("ada@example.org", made[0]) {
			t.Errorf("before the revocation: %q", got)
		}
		w.batch(r)
		since := w.cloud.Calls()[calls:]
		revoked, changed := first(t, since, http.MethodDelete, "/core/apppassword"), first(t, since, http.MethodPut, "/users/ada@example.org")
		if revoked > changed {
			t.Errorf("revoked by call %d, password changed by call %d", revoked, changed)
		}
		w.settled(a, freshPassword)
		w.revoked(a, made, freshPassword)
		if got := w.revocations(a); got != "" {
			t.Errorf("revocations left: %s", got)
		}
		w.advance(10 * time.Minute) // the gateway's own app password stays valid
		w.settled(a, freshPassword)
		if n := w.cloud.FailedLogins(); n != 0 {
			t.Errorf("%d failed logins", n)
		}
	})
}

// TestReconciler_RevokesDespiteFaults stops the reconciler after every call and commit of a
// password change with app passwords to revoke, in turn, and restarts it long afterwards, when
// Nextcloud has invalidated them.
func TestReconciler_RevokesDespiteFaults(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, plain := range []secret.String{freshPassword, ""} {
			points := 0
			for at := 1; points == 0 && !t.Failed(); at++ {
				w := newWorld(t, db, nil)
				a := w.register(fmt.Sprintf("ada%d%d@example.org", at, len(plain)))
				w.batch(w.reconciler())
				made := w.issue(a, adasPassword, 2)
				w.withdraw(a, plain)
				r := w.reconciler()
				seen := 0
				reconcile.OnTrace(r, func(string) {
					if seen++; seen == at {
						panic(errCrash{})
					}
				})
				if !crashes(func() { w.batch(r) }) {
					points = at - 1
				}
				w.advance(time.Hour) // the lease expires, app passwords become invalid
				for range 3 {
					w.batch(w.reconciler())
				}
				want := cmp.Or(plain, adasPassword)
				w.settled(a, want)
				w.revoked(a, made, want)
				if n := w.known(a); n.DueAt != nil || n.Status != desired.Active {
					t.Errorf("stopped at point %d: got %+v", at, n)
				}
				if got := w.revocations(a); strings.Contains(got, "wanted") {
					t.Errorf("stopped at point %d: revocations left: %s", at, got)
				}
			}
			if points < 6 { // look, revoke and record twice, settle
				t.Errorf("only %d points were tested", points)
			}
		}
	})
}

func TestReconciler_RevokesAfterALostAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]nextcloudtest.Fault{
		"cut after the effect": nextcloudtest.CutAfter(), "cut before the effect": nextcloudtest.CutBefore(),
		"500 after the effect": nextcloudtest.CrashAfter(), "500 before the effect": nextcloudtest.Crash(),
		"maintenance":           nextcloudtest.Maintenance(),
		"error page of a proxy": nextcloudtest.Answer(http.StatusOK, "text/html", "<html>", 0),
		"not allowed":           nextcloudtest.Answer(http.StatusForbidden, "application/json", `{"ocs":{"meta":{"statuscode":403},"data":[]}}`, 0),
		"too many calls":        nextcloudtest.Answer(http.StatusTooManyRequests, "", "", time.Minute),
	} {
		for _, plain := range []secret.String{freshPassword, ""} {
			t.Run(fmt.Sprintf("%s, new password %t", name, plain != ""), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, storetest.SQLite(t), nil)
				a := w.register("ada@example.org")
				r := w.reconciler()
				w.batch(r)
				made := w.issue(a, adasPassword, 2)
				w.withdraw(a, plain)
				w.cloud.Fail(nextcloudtest.Times(2, fault, nextcloudtest.On(http.MethodDelete, "/core/apppassword")))
				w.batch(r)
				b := w.register("bob@example.org")
				w.batch(r)
				if n := w.known(b); n.Status != desired.Active && name != "maintenance" {
					t.Errorf("another account is delayed: %+v", n)
				}
				for range 4 {
					w.advance(time.Hour)
					w.batch(r)
				}
				w.cloud.RemoveUser("bob@example.org")
				password := cmp.Or(plain, adasPassword)
				w.settled(a, password)
				w.revoked(a, made, password)
			})
		}
	}
}

func TestReconciler_RevokesWhatIsWithdrawnConcurrently(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	made := w.issue(a, adasPassword, 2)
	w.recheck()
	var once sync.Once
	reconcile.OnTrace(r, func(point string) {
		if point == "touched" { // long after it listed the revocations
			once.Do(func() { w.withdraw(a, "") })
		}
	})
	w.batch(r)
	w.batch(r)
	w.settled(a, adasPassword)
	w.revoked(a, made, adasPassword)
}

// The outage lasts so long that Nextcloud would have invalidated the app passwords if the
// password had been changed there.
func TestReconciler_RevokesAfterAnOutage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, plain := range []secret.String{freshPassword, ""} {
			w := newWorld(t, db, nil)
			a := w.register(fmt.Sprintf("ada%d@example.org", len(plain)))
			r := w.reconciler()
			w.batch(r)
			made := w.issue(a, adasPassword, 2)
			w.cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.CutBefore() })
			w.withdraw(a, plain)
			for range 20 {
				w.batch(r)
				w.advance(time.Hour)
			}
			if got := w.revocations(a); got != "wanted wanted" {
				t.Errorf("during the outage: got revocations %q", got)
			}
			w.cloud.Fail(nil)
			w.batch(r)
			w.settled(a, cmp.Or(plain, adasPassword))
			w.revoked(a, made, cmp.Or(plain, adasPassword))
		}
	})
}

// Two reconcilers work on the same account because the lease of the first expired.
func TestReconciler_ConcurrentRevocations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		w.batch(w.reconciler())
		made := w.issue(a, adasPassword, 3)
		w.withdraw(a, freshPassword)
		slow := w.reconciler()
		var once sync.Once
		reconcile.OnTrace(slow, func(point string) {
			if point == "app password revoked" {
				once.Do(func() {
					w.advance(time.Hour)
					w.batch(w.reconciler())
				})
			}
		})
		w.batch(slow)
		w.advance(time.Hour)
		w.batch(w.reconciler())
		w.settled(a, freshPassword)
		w.revoked(a, made, freshPassword)
		if got := w.revocations(a); got != "" {
			t.Errorf("revocations left: %s", got)
		}
	})
}

// A disabled account refuses its app passwords, and accepts them again once it is enabled.
func TestReconciler_DisablingAndRevoking(t *testing.T) {
	t.Parallel()
	disable := func(w *world, a account.Account, on bool) {
		at := w.time()
		if a.DisabledAt = nil; on {
			a.DisabledAt = &at
		}
		w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, at) })
	}
	enabledWorld := func(t *testing.T, env map[string]string) (*world, account.Account, []secret.String) {
		t.Helper()
		w := newWorld(t, storetest.SQLite(t), env)
		a := w.register("ada@example.org")
		w.batch(w.reconciler())
		return w, a, w.issue(a, adasPassword, 2)
	}
	t.Run("invalid while disabled, valid once enabled", func(t *testing.T) {
		t.Parallel()
		w, a, made := enabledWorld(t, nil)
		disable(w, a, true)
		w.batch(w.reconciler())
		if w.appPasswordOpens("ada@example.org", made[0]) {
			t.Error("an app password works for a disabled account")
		}
		disable(w, a, false)
		w.batch(w.reconciler())
		if !w.appPasswordOpens("ada@example.org", made[0]) {
			t.Error("the app password does not work after the account is enabled again")
		}
	})
	t.Run("withdrawn before: revoked before the account is disabled", func(t *testing.T) {
		t.Parallel()
		w, a, made := enabledWorld(t, nil)
		w.withdraw(a, freshPassword)
		disable(w, a, true)
		w.batch(w.reconciler())
		w.cloud.SetEnabled("ada@example.org", true)
		w.revoked(a, made, adasPassword)
	})
	t.Run("disabled before: revoked once the account is enabled", func(t *testing.T) {
		t.Parallel()
		w, a, made := enabledWorld(t, nil)
		disable(w, a, true)
		w.batch(w.reconciler())
		w.withdraw(a, "")
		w.batch(w.reconciler())
		if got := w.revocations(a); got != "wanted wanted" || w.known(a).DueAt != nil {
			t.Errorf("while disabled: got revocations %q", got)
		}
		disable(w, a, false)
		w.batch(w.reconciler())
		w.revoked(a, made, adasPassword)
	})
	for _, policy := range []string{"disable", "delete", "keep"} {
		t.Run("deleted with policy "+policy, func(t *testing.T) {
			t.Parallel()
			w, a, made := enabledWorld(t, map[string]string{"NEXTCLOUD_ON_DELETE": policy})
			if policy == "keep" { // which revokes nothing on its own
				w.withdraw(a, "")
			}
			w.update(func(ctx context.Context, tx *store.Tx) error {
				if err := w.recorder.Deleted(ctx, tx, a, w.time()); err != nil {
					return err
				}
				return tx.DeleteAccount(ctx, tx.Operator(), a.ID)
			})
			w.batch(w.reconciler())
			if got := w.revocations(a); got != "" {
				t.Errorf("revocations left: %s", got)
			}
			u, there := w.cloud.User("ada@example.org")
			if there == (policy == "delete") || u.Enabled != (policy == "keep") {
				t.Errorf("got account %+v, %t", u, there)
			}
			w.cloud.SetEnabled("ada@example.org", true)
			for _, app := range made {
				if w.cloud.Opens("ada@example.org", app) {
					t.Error("an app password works once the account is enabled again")
				}
			}
		})
	}
}
