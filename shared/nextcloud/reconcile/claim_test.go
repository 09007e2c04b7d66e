package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const herPassword = secret.String("a password from before")

// proof logs a in and returns the proof.
func (f *fixture) proof(a account.Account) signin.Proof {
	f.t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", f.time(), signin.Lifetimes{Idle: 48 * time.Hour})
	if err := f.db.StartLogin(f.t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, f.time()), nil); err != nil {
		f.t.Fatal(err)
	}
	return signin.NewProof(a.ID, l.ID)
}

// inConflict returns a user who shares the address with the Nextcloud account "Countess",
// which stores a file, and the proof of a login.
func (f *fixture) inConflict() (account.Account, signin.Proof) {
	f.t.Helper()
	f.cloud.AddUser("Countess", herPassword, "ada@example.org")
	f.cloud.Set("Countess", "displayname", "Augusta Ada")
	f.cloud.Set("Countess", "quota", "1 GB")
	a := f.register("ada@example.org")
	f.batch(f.reconciler())
	if n := f.known(a); n.ConflictingID() != "Countess" {
		f.t.Fatalf("got row %+v", n)
	}
	return a, f.proof(a)
}

func (f *fixture) claim(by signin.Proof, password secret.String) (desired.Account, error) {
	return f.reconciler().Claim(f.t.Context(), by, password, audit.New(audit.Claimed, by.User(), audit.Origin{}, f.time()))
}

func (f *fixture) adopt(user account.ID, id string) (desired.Account, error) {
	event := audit.New(audit.Adopted, user, audit.Origin{}, f.time())
	return f.reconciler().Adopt(f.t.Context(), user, id, event, func(fn func(*store.Tx, store.Actor) error) error {
		return f.db.Update(f.t.Context(), func(tx *store.Tx) error { return fn(tx, tx.Operator()) })
	})
}

// events returns how often each event was recorded.
func (f *fixture) events() map[audit.Name]int {
	f.t.Helper()
	list, err := f.db.AuditEvents(f.t.Context(), store.AuditFilter{Limit: 1000})
	if err != nil {
		f.t.Fatal(err)
	}
	count := map[audit.Name]int{}
	for _, e := range list {
		count[e.Name]++
	}
	return count
}

// code returns the code of a fault and the time after which it may be retried.
func code(err error) (string, time.Duration) {
	if f := fault.Of(err); err != nil && f != nil {
		return f.Code, f.RetryAfter
	}
	return "", 0
}

// wantCode fails the test unless err is a fault with that code.
func (f *fixture) wantCode(what string, err error, want string) {
	f.t.Helper()
	if got, _ := code(err); got != want {
		f.t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

// unchanged fails the test unless the claimed account is unchanged and the gateway can access
// its files.
func (f *fixture) unchanged(a account.Account) {
	f.t.Helper()
	n := f.known(a)
	if n.Status != desired.Active || n.LastError != "" || !n.Owned || n.Link != desired.Claimed || n.NextcloudID != "Countess" ||
		string(n.InitialPassword) != desired.Spent || n.WantsPassword || n.DueAt != nil {
		f.t.Errorf("got row %+v", n)
	}
	u, _ := f.cloud.User("Countess")
	if !u.Enabled || u.Email != "ada@example.org" || u.DisplayName != "Augusta Ada" || u.Quota != "1 GB" || !f.cloud.ValidCredentials("Countess", herPassword) {
		f.t.Errorf("the account was changed: %+v", u)
	}
	if app, err := f.recorder.Box.Open(n.AppPassword, string(a.ID)); err != nil || !f.appPasswordOpens("Countess", app) {
		f.t.Errorf("the gateway cannot access the files: %v", err)
	}
	if len(f.cloud.Users()) != 2 {
		f.t.Errorf("got Nextcloud users %+v", f.cloud.Users())
	}
}

func TestClaim_WithThePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a, by := f.inConflict()
		if n, err := f.claim(by, herPassword); err != nil || n.Status != desired.Pending {
			t.Fatalf("got %+v, %v", n, err)
		}
		r := f.reconciler()
		f.batch(r)
		f.unchanged(a)
		if c := f.compare(r); len(c.Drifts) != 0 || c.Compared != 1 {
			t.Errorf("sweep: got %+v", c)
		}
		calls := len(f.cloud.Calls())
		if n, err := f.claim(by, "anything"); err != nil || n.Link != desired.Claimed || len(f.cloud.Calls()) != calls {
			t.Errorf("second claim: got %+v, %v", n, err)
		}
		if got := f.events(); got[audit.Claimed] != 1 || got[audit.ClaimRefused] != 0 {
			t.Errorf("got audit events %v", got)
		}

		// Only later changes are passed on.
		a.FullName = "Ada King"
		f.changed(a)
		f.update(func(ctx context.Context, tx *store.Tx) error {
			return f.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", f.time())
		})
		f.batch(r)
		u, _ := f.cloud.User("Countess")
		if u.DisplayName != "Ada King" || u.Quota != "1 GB" || !f.cloud.ValidCredentials("Countess", "an entirely new passphrase") {
			t.Errorf("after a change: got %+v", u)
		}
		if n := f.known(a); !n.HasUserPassword || n.Status != desired.Active || f.cloud.FailedLogins() != 0 {
			t.Errorf("got row %+v, %d failed logins", n, f.cloud.FailedLogins())
		}
	})
}

func TestClaim_WithAnAppPassword(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a, by := f.inConflict()
	app, err := f.client().AppPassword(t.Context(), "Countess", herPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.claim(by, app); err != nil {
		t.Fatal(err)
	}
	r := f.reconciler()
	f.batch(r)
	f.unchanged(a)
	if u, _ := f.cloud.User("Countess"); len(u.AppPasswords) != 1 {
		t.Errorf("got app passwords %v", u.AppPasswords)
	}

	// Once revoked, it no longer works: the owner has to prove the account again.
	f.cloud.RevokeAll("Countess")
	if err := f.db.DiscardNextcloudAppPassword(t.Context(), a.ID, f.known(a).AppPassword, f.time()); err != nil {
		t.Fatal(err)
	}
	f.batch(r)
	if n := f.known(a); n.Status != desired.Conflict || n.LastError != reconcile.ClaimRequired || n.ConflictingID() != "Countess" || !n.Owned {
		t.Errorf("got row %+v", n)
	}
	if _, err := f.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	f.batch(r)
	f.unchanged(a)
}

func TestClaim_TakenID(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.cloud.AddUser("ada@example.org", herPassword, "private@example.com")
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	if _, err := f.claim(f.proof(a), herPassword); err != nil {
		t.Fatal(err)
	}
	f.batch(r)
	if u, _ := f.cloud.User("ada@example.org"); f.known(a).Status != desired.Active || u.Email != "private@example.com" {
		t.Errorf("got row %+v, account %+v", f.known(a), u)
	}
}

func TestClaim_RefusesPrivilegedAndForeignAccounts(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(f *fixture){
		"administrators":             func(f *fixture) { f.cloud.MakeAdmin("Countess", "admin") },
		"administrators of a group":  func(f *fixture) { f.cloud.MakeAdmin("Countess", "staff") },
		"accounts of other backends": func(f *fixture) { f.cloud.SetBackend("Countess", "LDAP") },
		"the gateway's own account": func(f *fixture) {
			f.settings.Admin = "countess"
			f.settings.Password = herPassword
			f.cloud.MakeAdmin("Countess", "admin")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, storetest.SQLite(t), nil)
			a, by := f.inConflict()
			prepare(f)
			_, err := f.claim(by, herPassword)
			f.wantCode("claimed", err, "not_adoptable")
			_, err = f.adopt(a.ID, "Countess")
			f.wantCode("adopted", err, "not_adoptable")
			for _, c := range f.cloud.Calls() {
				if c.Path == "/ocs/v2.php/cloud/user" && c.User == "Countess" {
					t.Error("the password was sent to Nextcloud")
				}
			}
			if n := f.known(a); n.Link != desired.NoLink {
				t.Errorf("got row %+v", n)
			}
		})
	}
	t.Run("an account that becomes an administrator stays unchanged", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), nil)
		a, by := f.inConflict()
		if _, err := f.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		r := f.reconciler()
		f.batch(r)
		f.cloud.MakeAdmin("Countess", "admin")
		f.update(func(ctx context.Context, tx *store.Tx) error {
			return f.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", f.time())
		})
		f.batch(r)
		if n := f.known(a); n.LastError != reconcile.NotAdoptable || !f.cloud.ValidCredentials("Countess", herPassword) {
			t.Errorf("got row %+v", n)
		}
	})
	t.Run("no conflict", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), nil)
		a := f.register("ada@example.org")
		f.batch(f.reconciler())
		_, err := f.claim(f.proof(a), herPassword)
		f.wantCode("claimed", err, "nothing_to_claim")
	})
	t.Run("another account took the address", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), nil)
		a, by := f.inConflict()
		f.cloud.Set("Countess", "email", "other@example.org")
		_, err := f.claim(by, herPassword)
		f.wantCode("claimed", err, "changed_meanwhile")
		f.batch(f.reconciler())
		if n := f.known(a); n.Status != desired.Active || n.NextcloudID != "ada@example.org" {
			t.Errorf("got row %+v", n)
		}
	})
}

// TestClaim_RefusesTheGatewaysOwnAccount covers an administrator who is in no administrators'
// group: newer servers delegate single rights.
func TestClaim_RefusesTheGatewaysOwnAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	for id, want := range map[string]bool{"countess": true, f.settings.Admin: false, strings.ToUpper(f.settings.Admin): false} {
		if got := reconcile.Linkable(f.reconciler(), ocs.User{ID: id, Backend: ocs.OwnBackend}); got != want {
			t.Errorf("Linkable(%s) = %t", id, got)
		}
	}
}
