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
func (w *world) proof(a account.Account) signin.Proof {
	w.t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", w.time(), signin.Lifetimes{Idle: 48 * time.Hour})
	if err := w.db.StartLogin(w.t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, w.time())); err != nil {
		w.t.Fatal(err)
	}
	return signin.NewProof(a.ID, l.ID)
}

// inConflict returns a user who shares the address with the Nextcloud account "Countess",
// which stores a file, and the proof of a login.
func (w *world) inConflict() (account.Account, signin.Proof) {
	w.t.Helper()
	w.cloud.AddUser("Countess", herPassword, "ada@example.org")
	w.cloud.Set("Countess", "displayname", "Augusta Ada")
	w.cloud.Set("Countess", "quota", "1 GB")
	a := w.register("ada@example.org")
	w.batch(w.reconciler())
	if n := w.known(a); n.ConflictingID() != "Countess" {
		w.t.Fatalf("got row %+v", n)
	}
	return a, w.proof(a)
}

func (w *world) claim(by signin.Proof, password secret.String) (desired.Account, error) {
	return w.reconciler().Claim(w.t.Context(), by, password, audit.New(audit.Claimed, by.User(), audit.Origin{}, w.time()))
}

func (w *world) adopt(user account.ID, id string) (desired.Account, error) {
	event := audit.New(audit.Adopted, user, audit.Origin{}, w.time())
	return w.reconciler().Adopt(w.t.Context(), user, id, event, func(fn func(*store.Tx, store.Actor) error) error {
		return w.db.Update(w.t.Context(), func(tx *store.Tx) error { return fn(tx, tx.Operator()) })
	})
}

// events returns how often each event was recorded.
func (w *world) events() map[audit.Name]int {
	w.t.Helper()
	list, err := w.db.AuditEvents(w.t.Context(), store.AuditFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
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
func (w *world) wantCode(what string, err error, want string) {
	w.t.Helper()
	if got, _ := code(err); got != want {
		w.t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

// unchanged fails the test unless the claimed account is unchanged and the gateway can access
// its files.
func (w *world) unchanged(a account.Account) {
	w.t.Helper()
	n := w.known(a)
	if n.Status != desired.Active || n.LastError != "" || !n.Owned || n.Link != desired.Claimed || n.NextcloudID != "Countess" ||
		string(n.InitialPassword) != desired.Spent || n.WantsPassword || n.DueAt != nil {
		w.t.Errorf("got row %+v", n)
	}
	u, _ := w.cloud.User("Countess")
	if !u.Enabled || u.Email != "ada@example.org" || u.DisplayName != "Augusta Ada" || u.Quota != "1 GB" || !w.cloud.Opens("Countess", herPassword) {
		w.t.Errorf("the account was changed: %+v", u)
	}
	if app, err := w.recorder.Box.Open(n.AppPassword, string(a.ID)); err != nil || !w.appPasswordOpens("Countess", app) {
		w.t.Errorf("the gateway cannot access the files: %v", err)
	}
	if len(w.cloud.Users()) != 2 {
		w.t.Errorf("got Nextcloud users %+v", w.cloud.Users())
	}
}

func TestClaim_WithThePassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		if n, err := w.claim(by, herPassword); err != nil || n.Status != desired.Pending {
			t.Fatalf("got %+v, %v", n, err)
		}
		r := w.reconciler()
		w.batch(r)
		w.unchanged(a)
		if c := w.compare(r); len(c.Drifts) != 0 || c.Compared != 1 {
			t.Errorf("sweep: got %+v", c)
		}
		calls := len(w.cloud.Calls())
		if n, err := w.claim(by, "anything"); err != nil || n.Link != desired.Claimed || len(w.cloud.Calls()) != calls {
			t.Errorf("second claim: got %+v, %v", n, err)
		}
		if got := w.events(); got[audit.Claimed] != 1 || got[audit.ClaimRefused] != 0 {
			t.Errorf("got audit events %v", got)
		}

		// Only later changes are passed on.
		a.FullName = "Ada King"
		w.changed(a)
		w.update(func(ctx context.Context, tx *store.Tx) error {
			return w.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", w.time())
		})
		w.batch(r)
		u, _ := w.cloud.User("Countess")
		if u.DisplayName != "Ada King" || u.Quota != "1 GB" || !w.cloud.Opens("Countess", "an entirely new passphrase") {
			t.Errorf("after a change: got %+v", u)
		}
		if n := w.known(a); !n.HasUserPassword || n.Status != desired.Active || w.cloud.FailedLogins() != 0 {
			t.Errorf("got row %+v, %d failed logins", n, w.cloud.FailedLogins())
		}
	})
}

func TestClaim_WithAnAppPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a, by := w.inConflict()
	app, err := w.client().AppPassword(t.Context(), "Countess", herPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.claim(by, app); err != nil {
		t.Fatal(err)
	}
	r := w.reconciler()
	w.batch(r)
	w.unchanged(a)
	if u, _ := w.cloud.User("Countess"); len(u.AppPasswords) != 1 {
		t.Errorf("got app passwords %v", u.AppPasswords)
	}

	// Once revoked, it no longer works: the owner has to prove the account again.
	w.cloud.RevokeAll("Countess")
	if err := w.db.DiscardNextcloudAppPassword(t.Context(), a.ID, w.known(a).AppPassword, w.time()); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	if n := w.known(a); n.Status != desired.Conflict || n.LastError != reconcile.ClaimRequired || n.ConflictingID() != "Countess" || !n.Owned {
		t.Errorf("got row %+v", n)
	}
	if _, err := w.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	w.unchanged(a)
}

func TestClaim_TakenID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	w.cloud.AddUser("ada@example.org", herPassword, "private@example.com")
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	if _, err := w.claim(w.proof(a), herPassword); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	if u, _ := w.cloud.User("ada@example.org"); w.known(a).Status != desired.Active || u.Email != "private@example.com" {
		t.Errorf("got row %+v, account %+v", w.known(a), u)
	}
}

func TestClaim_RefusesPrivilegedAndForeignAccounts(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(w *world){
		"administrators":             func(w *world) { w.cloud.Appoint("Countess", "admin") },
		"administrators of a group":  func(w *world) { w.cloud.Appoint("Countess", "staff") },
		"accounts of other backends": func(w *world) { w.cloud.SetBackend("Countess", "LDAP") },
		"the gateway's own account": func(w *world) {
			w.settings.Admin = "countess"
			w.settings.Password = herPassword
			w.cloud.Appoint("Countess", "admin")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.SQLite(t), nil)
			a, by := w.inConflict()
			prepare(w)
			_, err := w.claim(by, herPassword)
			w.wantCode("claimed", err, "not_adoptable")
			_, err = w.adopt(a.ID, "Countess")
			w.wantCode("adopted", err, "not_adoptable")
			for _, c := range w.cloud.Calls() {
				if c.Path == "/ocs/v2.php/cloud/user" && c.User == "Countess" {
					t.Error("the password was sent to Nextcloud")
				}
			}
			if n := w.known(a); n.Link != desired.NoLink {
				t.Errorf("got row %+v", n)
			}
		})
	}
	t.Run("an account that becomes an administrator stays unchanged", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		if _, err := w.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		r := w.reconciler()
		w.batch(r)
		w.cloud.Appoint("Countess", "admin")
		w.update(func(ctx context.Context, tx *store.Tx) error {
			return w.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", w.time())
		})
		w.batch(r)
		if n := w.known(a); n.LastError != reconcile.NotAdoptable || !w.cloud.Opens("Countess", herPassword) {
			t.Errorf("got row %+v", n)
		}
	})
	t.Run("no conflict", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a := w.register("ada@example.org")
		w.batch(w.reconciler())
		_, err := w.claim(w.proof(a), herPassword)
		w.wantCode("claimed", err, "nothing_to_claim")
	})
	t.Run("another account took the address", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		w.cloud.Set("Countess", "email", "other@example.org")
		_, err := w.claim(by, herPassword)
		w.wantCode("claimed", err, "changed_meanwhile")
		w.batch(w.reconciler())
		if n := w.known(a); n.Status != desired.Active || n.NextcloudID != "ada@example.org" {
			t.Errorf("got row %+v", n)
		}
	})
}

// TestClaim_RefusesTheGatewaysOwnAccount covers an administrator who is in no administrators'
// group: newer servers delegate single rights.
func TestClaim_RefusesTheGatewaysOwnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	for id, want := range map[string]bool{"countess": true, w.settings.Admin: false, strings.ToUpper(w.settings.Admin): false} {
		if got := reconcile.Linkable(w.reconciler(), ocs.User{ID: id, Backend: ocs.OwnBackend}); got != want {
			t.Errorf("Linkable(%s) = %t", id, got)
		}
	}
}
