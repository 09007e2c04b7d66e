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
func (f *fixture) login(a account.Account) signin.ID {
	f.t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", f.time(), signin.Lifetimes{Idle: signin.DefaultIdle})
	if err := f.db.StartLogin(f.t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, f.time()), nil); err != nil {
		f.t.Fatal(err)
	}
	return l.ID
}

// appPasswords returns those of the fixture's Nextcloud.
func (f *fixture) appPasswords() *access.AppPasswords {
	env := config.Map(map[string]string{"NEXTCLOUD_URL": f.url})
	return access.NewStorage(*setting.Of[nextcloud.Server](env), f.db, f.ring, f.time).AppPasswords()
}

// issue creates n app passwords for a, confirmed with the current password.
func (f *fixture) issue(a account.Account, own secret.String, n int) []secret.String {
	f.t.Helper()
	apps := f.appPasswords()
	by := signin.NewProof(a.ID, f.login(a)).WithPassword("hash")
	var made []secret.String
	for range n {
		event := audit.New(audit.AppIssued, a.ID, audit.Origin{}, f.time())
		i, err := apps.Issue(f.t.Context(), by, "x", own, event)
		if err != nil {
			f.t.Fatal(err)
		}
		made = append(made, i.Password)
	}
	return made
}

// withdraw requests the revocation of all app passwords of a, with a change of password unless
// plain is "".
func (f *fixture) withdraw(a account.Account, plain secret.String) {
	f.t.Helper()
	f.update(func(ctx context.Context, tx *store.Tx) error {
		if _, err := f.recorder.RevokeAppPasswords(ctx, tx, audit.New(audit.PasswordChanged, a.ID, audit.Origin{}, f.time())); err != nil {
			return err
		}
		if plain == "" {
			return nil
		}
		return f.recorder.PasswordChanged(ctx, tx, a, plain, f.time())
	})
}

// revocations returns the states of a's pending revocations.
func (f *fixture) revocations(a account.Account) string {
	f.t.Helper()
	list, err := f.db.Revocations(f.t.Context(), a.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	var states []string
	for _, r := range list {
		states = append(states, string(r.State))
	}
	return strings.Join(states, " ")
}

// revoked fails the test if one of the app passwords works for a's account, now or after a
// login with the password.
func (f *fixture) revoked(a account.Account, made []secret.String, password secret.String) {
	f.t.Helper()
	id := f.known(a).NextcloudID
	if _, err := f.client().Authenticate(f.t.Context(), id, password); err != nil {
		f.t.Errorf("the password does not work: %v", err)
	}
	for i, app := range made {
		if f.cloud.ValidCredentials(id, app) {
			f.t.Errorf("app password %d of %d still works", i+1, len(made))
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
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		r := f.reconciler()
		f.batch(r)
		made := f.issue(a, adasPassword, 3)
		calls := len(f.cloud.Calls())
		f.withdraw(a, freshPassword)
		if got := f.revocations(a); got != "wanted wanted wanted" || !f.cloud.ValidCredentials("ada@example.org", made[0]) {
			t.Errorf("before the revocation: %q", got)
		}
		f.batch(r)
		since := f.cloud.Calls()[calls:]
		revoked, changed := first(t, since, http.MethodDelete, "/core/apppassword"), first(t, since, http.MethodPut, "/users/ada@example.org")
		if revoked > changed {
			t.Errorf("revoked by call %d, password changed by call %d", revoked, changed)
		}
		f.settled(a, freshPassword)
		f.revoked(a, made, freshPassword)
		if got := f.revocations(a); got != "" {
			t.Errorf("revocations left: %s", got)
		}
		f.advance(10 * time.Minute) // the gateway's own app password stays valid
		f.settled(a, freshPassword)
		if n := f.cloud.FailedLogins(); n != 0 {
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
				f := newFixture(t, db, nil)
				a := f.register(fmt.Sprintf("ada%d%d@example.org", at, len(plain)))
				f.batch(f.reconciler())
				made := f.issue(a, adasPassword, 2)
				f.withdraw(a, plain)
				r := f.reconciler()
				seen := 0
				reconcile.OnTrace(r, func(string) {
					if seen++; seen == at {
						panic(errCrash{})
					}
				})
				if !crashes(func() { f.batch(r) }) {
					points = at - 1
				}
				f.advance(time.Hour) // the lease expires, app passwords become invalid
				for range 3 {
					f.batch(f.reconciler())
				}
				want := cmp.Or(plain, adasPassword)
				f.settled(a, want)
				f.revoked(a, made, want)
				if n := f.known(a); n.DueAt != nil || n.Status != desired.Active {
					t.Errorf("stopped at point %d: got %+v", at, n)
				}
				if got := f.revocations(a); strings.Contains(got, "wanted") {
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
				f := newFixture(t, storetest.SQLite(t), nil)
				a := f.register("ada@example.org")
				r := f.reconciler()
				f.batch(r)
				made := f.issue(a, adasPassword, 2)
				f.withdraw(a, plain)
				f.cloud.Fail(nextcloudtest.Times(2, fault, nextcloudtest.On(http.MethodDelete, "/core/apppassword")))
				f.batch(r)
				b := f.register("bob@example.org")
				f.batch(r)
				if n := f.known(b); n.Status != desired.Active && name != "maintenance" {
					t.Errorf("another account is delayed: %+v", n)
				}
				for range 4 {
					f.advance(time.Hour)
					f.batch(r)
				}
				f.cloud.RemoveUser("bob@example.org")
				password := cmp.Or(plain, adasPassword)
				f.settled(a, password)
				f.revoked(a, made, password)
			})
		}
	}
}

func TestReconciler_RevokesWhatIsWithdrawnConcurrently(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	made := f.issue(a, adasPassword, 2)
	f.recheck()
	var once sync.Once
	reconcile.OnTrace(r, func(point string) {
		if point == "touched" { // long after it listed the revocations
			once.Do(func() { f.withdraw(a, "") })
		}
	})
	f.batch(r)
	f.batch(r)
	f.settled(a, adasPassword)
	f.revoked(a, made, adasPassword)
}

// The outage lasts so long that Nextcloud would have invalidated the app passwords if the
// password had been changed there.
func TestReconciler_RevokesAfterAnOutage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, plain := range []secret.String{freshPassword, ""} {
			f := newFixture(t, db, nil)
			a := f.register(fmt.Sprintf("ada%d@example.org", len(plain)))
			r := f.reconciler()
			f.batch(r)
			made := f.issue(a, adasPassword, 2)
			f.cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.CutBefore() })
			f.withdraw(a, plain)
			for range 20 {
				f.batch(r)
				f.advance(time.Hour)
			}
			if got := f.revocations(a); got != "wanted wanted" {
				t.Errorf("during the outage: got revocations %q", got)
			}
			f.cloud.Fail(nil)
			f.batch(r)
			f.settled(a, cmp.Or(plain, adasPassword))
			f.revoked(a, made, cmp.Or(plain, adasPassword))
		}
	})
}

// Two reconcilers work on the same account because the lease of the first expired.
func TestReconciler_ConcurrentRevocations(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		f.batch(f.reconciler())
		made := f.issue(a, adasPassword, 3)
		f.withdraw(a, freshPassword)
		slow := f.reconciler()
		var once sync.Once
		reconcile.OnTrace(slow, func(point string) {
			if point == "app password revoked" {
				once.Do(func() {
					f.advance(time.Hour)
					f.batch(f.reconciler())
				})
			}
		})
		f.batch(slow)
		f.advance(time.Hour)
		f.batch(f.reconciler())
		f.settled(a, freshPassword)
		f.revoked(a, made, freshPassword)
		if got := f.revocations(a); got != "" {
			t.Errorf("revocations left: %s", got)
		}
	})
}

// A disabled account refuses its app passwords, and accepts them again once it is enabled.
func TestReconciler_DisablingAndRevoking(t *testing.T) {
	t.Parallel()
	disable := func(f *fixture, a account.Account, on bool) {
		at := f.time()
		if a.DisabledAt = nil; on {
			a.DisabledAt = &at
		}
		f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, at) })
	}
	withAppPasswords := func(t *testing.T, env map[string]string) (*fixture, account.Account, []secret.String) {
		t.Helper()
		f := newFixture(t, storetest.SQLite(t), env)
		a := f.register("ada@example.org")
		f.batch(f.reconciler())
		return f, a, f.issue(a, adasPassword, 2)
	}
	t.Run("invalid while disabled, valid once enabled", func(t *testing.T) {
		t.Parallel()
		f, a, made := withAppPasswords(t, nil)
		disable(f, a, true)
		f.batch(f.reconciler())
		if f.appPasswordOpens("ada@example.org", made[0]) {
			t.Error("an app password works for a disabled account")
		}
		disable(f, a, false)
		f.batch(f.reconciler())
		if !f.appPasswordOpens("ada@example.org", made[0]) {
			t.Error("the app password does not work after the account is enabled again")
		}
	})
	t.Run("withdrawn before: revoked before the account is disabled", func(t *testing.T) {
		t.Parallel()
		f, a, made := withAppPasswords(t, nil)
		f.withdraw(a, freshPassword)
		disable(f, a, true)
		f.batch(f.reconciler())
		f.cloud.SetEnabled("ada@example.org", true)
		f.revoked(a, made, adasPassword)
	})
	t.Run("disabled before: revoked once the account is enabled", func(t *testing.T) {
		t.Parallel()
		f, a, made := withAppPasswords(t, nil)
		disable(f, a, true)
		f.batch(f.reconciler())
		f.withdraw(a, "")
		f.batch(f.reconciler())
		if got := f.revocations(a); got != "wanted wanted" || f.known(a).DueAt != nil {
			t.Errorf("while disabled: got revocations %q", got)
		}
		disable(f, a, false)
		f.batch(f.reconciler())
		f.revoked(a, made, adasPassword)
	})
	for _, policy := range []string{"disable", "delete", "keep"} {
		t.Run("deleted with policy "+policy, func(t *testing.T) {
			t.Parallel()
			f, a, made := withAppPasswords(t, map[string]string{"NEXTCLOUD_ON_DELETE": policy})
			if policy == "keep" { // which revokes nothing on its own
				f.withdraw(a, "")
			}
			f.update(func(ctx context.Context, tx *store.Tx) error {
				if err := f.recorder.Deleted(ctx, tx, a, f.time()); err != nil {
					return err
				}
				return tx.DeleteAccount(ctx, tx.Operator(), a.ID)
			})
			f.batch(f.reconciler())
			if got := f.revocations(a); got != "" {
				t.Errorf("revocations left: %s", got)
			}
			u, there := f.cloud.User("ada@example.org")
			if there == (policy == "delete") || u.Enabled != (policy == "keep") {
				t.Errorf("got account %+v, %t", u, there)
			}
			f.cloud.SetEnabled("ada@example.org", true)
			for _, app := range made {
				if f.cloud.ValidCredentials("ada@example.org", app) {
					t.Error("an app password works once the account is enabled again")
				}
			}
		})
	}
}
