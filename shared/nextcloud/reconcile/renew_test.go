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
func (f *fixture) invalidateAppPassword(a account.Account) {
	f.t.Helper()
	n := f.known(a)
	app, err := f.recorder.Box.Open(n.AppPassword, string(a.ID))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.client().RevokeAppPassword(f.t.Context(), n.NextcloudID, app); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) recheck() {
	f.t.Helper()
	if _, err := f.db.RecheckNextcloud(f.t.Context(), f.time()); err != nil {
		f.t.Fatal(err)
	}
}

func TestReconciler_RenewsARefusedAppPassword(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	f.invalidateAppPassword(a)
	f.recheck()
	failedLogins := f.cloud.FailedLogins()
	f.batch(r)
	n := f.known(a)
	app, err := f.recorder.Box.Open(n.AppPassword, string(a.ID))
	if err != nil || !f.appPasswordOpens(n.NextcloudID, app) || n.Status != desired.Active {
		t.Errorf("app password does not work: %v, %+v", err, n)
	}
	if got := f.cloud.FailedLogins() - failedLogins; got > 1 {
		t.Errorf("%d failed logins for one invalid password, want 1", got)
	}
	f.recheck()
	f.batch(r)
	if fetched, opens := f.apps(a); fetched != 2 || !opens {
		t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
	}
}

// Only the user's own password can fetch another one, and only a login provides it.
func TestReconciler_RenewsWithThePasswordOfTheNextLogin(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a := f.register("ada@example.org")
		r := f.reconciler()
		f.batch(r)
		f.invalidateAppPassword(a)
		f.recheck()
		f.batch(r)
		n := f.known(a)
		if n.AppPassword != nil || n.LastError != reconcile.NoAppPassword || !n.WantsPassword || n.Status != desired.Pending || n.DueAt != nil {
			t.Fatalf("got row %+v", n)
		}
		calls := len(f.cloud.Calls())
		f.recheck()
		f.batch(r)
		for _, c := range f.cloud.Calls()[calls:] {
			if c.User != "admin" {
				t.Errorf("%+v: an invalid password is tried again", c)
			}
		}
		if who, _, err := db.AccountByEmail(t.Context(), a.Email.Lookup()); err != nil || !who.NextcloudNeedsPassword {
			t.Errorf("the login was not asked for the password: %+v, %v", who, err)
		}
		for range 2 { // the second one finds it stored already
			if err := f.recorder.SupplyPassword(t.Context(), db, a.ID, "hash", adasPassword, f.time()); err != nil {
				t.Fatal(err)
			}
		}
		f.batch(r)
		f.settled(a, adasPassword)
		if who, _, err := db.AccountByEmail(t.Context(), a.Email.Lookup()); err != nil || who.NextcloudNeedsPassword {
			t.Errorf("the next login is asked again: %+v, %v", who, err)
		}
		version := f.known(a).Version
		if err := f.recorder.SupplyPassword(t.Context(), db, a.ID, "hash", adasPassword, f.time()); err != nil || f.known(a).Version != version {
			t.Errorf("an unneeded password was stored: %v", err)
		}
	})
}

// An account that was removed is recreated with a random password; the next login gives it the
// user's.
func TestReconciler_RecreatedAccountNeedsThePassword(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	f.cloud.RemoveUser("ada@example.org")
	f.recheck()
	f.batch(r)
	f.batch(r)
	n := f.known(a)
	if n.HasUserPassword || !n.WantsPassword || n.Status != desired.Active || n.AppPassword == nil {
		t.Fatalf("got row %+v", n)
	}
	if err := f.recorder.SupplyPassword(t.Context(), f.db, a.ID, "hash", adasPassword, f.time()); err != nil {
		t.Fatal(err)
	}
	f.batch(r)
	f.settled(a, adasPassword)
}

func TestReconciler_AddsEveryAccountToTheGroup(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	before := f.register("before@example.org")
	f.batch(f.reconciler())
	f.settings.Group = "voice assist"
	after := f.register("after@example.org")
	f.recheck()
	r := f.reconciler()
	f.batch(r)
	f.batch(r)
	for _, a := range []account.Account{before, after} {
		u, err := f.client().User(t.Context(), f.known(a).NextcloudID)
		if err != nil || len(u.Groups) != 1 || u.Groups[0] != "voice assist" {
			t.Errorf("%s: got groups %q, %v", a.Email, u.Groups, err)
		}
	}
	calls := len(f.cloud.Calls())
	f.recheck()
	f.batch(r)
	for _, c := range f.cloud.Calls()[calls:] {
		if c.Method != "GET" && c.Method != "PROPFIND" {
			t.Errorf("got call %+v although nothing differs", c)
		}
	}
}

// If a server does not let users change their passwords, the administrator does.
func TestReconciler_SetsThePasswordAsAdministratorAsALastResort(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	r := f.reconciler()
	reconcile.OnTrace(r, func(point string) {
		if point == "owned" { // as after a crash: changed, but not recorded
			f.cloud.SetPassword("ada@example.org", "somebody changed it meanwhile")
		}
	})
	f.batch(r)
	f.advance(time.Hour)
	f.batch(r)
	f.settled(a, adasPassword)
}

// Unreachable files do not stop the reconciler from handling other accounts.
func TestReconciler_UnreachableFilesAffectOneAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	r := f.reconciler()
	reconcile.OnTrace(r, func(point string) {
		if point == "app password kept" {
			f.cloud.SetEnabled("ada@example.org", false) // 503, as in maintenance mode
		}
	})
	f.batch(r)
	if n := f.known(a); n.Status != desired.Pending || n.LastError != reconcile.Unavailable || n.Attempts != 1 {
		t.Errorf("got row %+v", n)
	}
	reconcile.OnTrace(r, func(string) {})
	b := f.register("bob@example.org")
	f.batch(r)
	if n := f.known(b); n.Status != desired.Active {
		t.Errorf("another account is delayed: %+v", n)
	}
	f.advance(time.Minute)
	f.batch(r)
	if n := f.known(a); n.Status != desired.Active {
		t.Errorf("got row %+v", n)
	}
}

func TestStorage_DependsOnTheAccountsState(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	env := config.Map(map[string]string{"NEXTCLOUD_URL": f.url})
	s := access.NewStorage(*setting.Of[nextcloud.Server](env), f.db, f.ring, f.time)
	if _, err := s.Open(t.Context(), a.ID); !isNotReady(err) {
		t.Errorf("before the account was created: got %v", err)
	}
	r := f.reconciler()
	f.batch(r)
	a.FullName = "Ada King"
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
	if _, err := s.Open(t.Context(), a.ID); err != nil || f.known(a).Status != desired.Pending {
		t.Errorf("pending change: %v", err)
	}
	disabled := f.time()
	a.DisabledAt = &disabled
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
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
