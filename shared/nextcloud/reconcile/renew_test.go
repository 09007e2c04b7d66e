package reconcile_test

import (
	"context"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// invalidateAppPassword invalidates the gateway's app password, as if the user had removed it
// from the list of devices.
func (w *world) invalidateAppPassword(a account.Account) {
	w.t.Helper()
	n := w.known(a)
	app, err := w.recorder.Box.Open(n.AppPassword, string(a.ID))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.client().RevokeAppPassword(w.t.Context(), n.NextcloudID, app); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) recheck() {
	w.t.Helper()
	if _, err := w.db.RecheckNextcloud(w.t.Context(), w.time()); err != nil {
		w.t.Fatal(err)
	}
}

func TestReconciler_RenewsARefusedAppPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	w.invalidateAppPassword(a)
	w.recheck()
	strikes := w.cloud.FailedLogins()
	w.batch(r)
	n := w.known(a)
	app, err := w.recorder.Box.Open(n.AppPassword, string(a.ID))
	if err != nil || !w.appPasswordOpens(n.NextcloudID, app) || n.Status != desired.Active {
		t.Errorf("app password does not work: %v, %+v", err, n)
	}
	if got := w.cloud.FailedLogins() - strikes; got > 1 {
		t.Errorf("%d failed logins for one invalid password, want 1", got)
	}
	w.recheck()
	w.batch(r)
	if fetched, opens := w.apps(a); fetched != 2 || !opens {
		t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
	}
}

// Only the user's own password can fetch another one, and only a login provides it.
func TestReconciler_RenewsWithThePasswordOfTheNextLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a := w.register("ada@example.org")
		r := w.reconciler()
		w.batch(r)
		w.invalidateAppPassword(a)
		w.recheck()
		w.batch(r)
		n := w.known(a)
		if n.AppPassword != nil || n.LastError != reconcile.NoAppPassword || !n.WantsPassword || n.Status != desired.Pending || n.DueAt != nil {
			t.Fatalf("got row %+v", n)
		}
		calls := len(w.cloud.Calls())
		w.recheck()
		w.batch(r)
		for _, c := range w.cloud.Calls()[calls:] {
			if c.User != "admin" {
				t.Errorf("%+v: an invalid password is tried again", c)
			}
		}
		if who, _, err := db.AccountByEmail(t.Context(), a.Email.Lookup()); err != nil || !who.NextcloudNeedsPassword {
			t.Errorf("the login was not asked for the password: %+v, %v", who, err)
		}
		for range 2 { // the second one finds it stored already
			if err := w.recorder.SupplyPassword(t.Context(), db, a.ID, "hash", adasPassword, w.time()); err != nil {
				t.Fatal(err)
			}
		}
		w.batch(r)
		w.settled(a, adasPassword)
		if who, _, err := db.AccountByEmail(t.Context(), a.Email.Lookup()); err != nil || who.NextcloudNeedsPassword {
			t.Errorf("the next login is asked again: %+v, %v", who, err)
		}
		version := w.known(a).Version
		if err := w.recorder.SupplyPassword(t.Context(), db, a.ID, "hash", adasPassword, w.time()); err != nil || w.known(a).Version != version {
			t.Errorf("an unneeded password was stored: %v", err)
		}
	})
}

// An account that was removed is recreated with a random password; the next login gives it the
// user's.
func TestReconciler_RecreatedAccountNeedsThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	r := w.reconciler()
	w.batch(r)
	w.cloud.RemoveUser("ada@example.org")
	w.recheck()
	w.batch(r)
	w.batch(r)
	n := w.known(a)
	if n.HasUserPassword || !n.WantsPassword || n.Status != desired.Active || n.AppPassword == nil {
		t.Fatalf("got row %+v", n)
	}
	if err := w.recorder.SupplyPassword(t.Context(), w.db, a.ID, "hash", adasPassword, w.time()); err != nil {
		t.Fatal(err)
	}
	w.batch(r)
	w.settled(a, adasPassword)
}

func TestReconciler_AddsEveryAccountToTheGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	before := w.register("before@example.org")
	w.batch(w.reconciler())
	w.settings.Group = "voice assist"
	after := w.register("after@example.org")
	w.recheck()
	r := w.reconciler()
	w.batch(r)
	w.batch(r)
	for _, a := range []account.Account{before, after} {
		u, err := w.client().User(t.Context(), w.known(a).NextcloudID)
		if err != nil || len(u.Groups) != 1 || u.Groups[0] != "voice assist" {
			t.Errorf("%s: got groups %q, %v", a.Email, u.Groups, err)
		}
	}
	calls := len(w.cloud.Calls())
	w.recheck()
	w.batch(r)
	for _, c := range w.cloud.Calls()[calls:] {
		if c.Method != "GET" && c.Method != "PROPFIND" {
			t.Errorf("got call %+v although nothing differs", c)
		}
	}
}

// If a server does not let users change their passwords, the administrator does.
func TestReconciler_SetsThePasswordAsAdministratorAsALastResort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	r := w.reconciler()
	reconcile.OnTrace(r, func(point string) {
		if point == "owned" { // as after a crash: changed, but not recorded
			w.cloud.SetPassword("ada@example.org", "somebody changed it meanwhile")
		}
	})
	w.batch(r)
	w.advance(time.Hour)
	w.batch(r)
	w.settled(a, adasPassword)
}

// Unreachable files do not stop the reconciler from handling other accounts.
func TestReconciler_UnreachableFilesAffectOneAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	r := w.reconciler()
	reconcile.OnTrace(r, func(point string) {
		if point == "app password kept" {
			w.cloud.SetEnabled("ada@example.org", false) // 503, as in maintenance mode
		}
	})
	w.batch(r)
	if n := w.known(a); n.Status != desired.Pending || n.LastError != reconcile.Unavailable || n.Attempts != 1 {
		t.Errorf("got row %+v", n)
	}
	reconcile.OnTrace(r, func(string) {})
	b := w.register("bob@example.org")
	w.batch(r)
	if n := w.known(b); n.Status != desired.Active {
		t.Errorf("another account is delayed: %+v", n)
	}
	w.advance(time.Minute)
	w.batch(r)
	if n := w.known(a); n.Status != desired.Active {
		t.Errorf("got row %+v", n)
	}
}

func TestStorage_DependsOnTheAccountsState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a := w.register("ada@example.org")
	env := config.Map(map[string]string{"NEXTCLOUD_URL": w.url})
	s := access.NewStorage(*setting.Of[nextcloud.Server](env), w.db, w.ring, w.time)
	if _, err := s.Open(t.Context(), a.ID); !isNotReady(err) {
		t.Errorf("before the account was created: got %v", err)
	}
	r := w.reconciler()
	w.batch(r)
	a.FullName = "Ada King"
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, w.time()) })
	if _, err := s.Open(t.Context(), a.ID); err != nil || w.known(a).Status != desired.Pending {
		t.Errorf("pending change: %v", err)
	}
	disabled := w.time()
	a.DisabledAt = &disabled
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, w.time()) })
	if _, err := s.Open(t.Context(), a.ID); !isNotReady(err) {
		t.Errorf("disabled user: got %v", err)
	}
	if _, err := s.Open(t.Context(), account.NewID()); !isNotReady(err) {
		t.Errorf("unknown user: got %v", err)
	}
	if _, err := (*access.Storage)(nil).Open(t.Context(), a.ID); err == nil || isNotReady(err) {
		t.Errorf("without a Nextcloud: got %v", err)
	}
}
