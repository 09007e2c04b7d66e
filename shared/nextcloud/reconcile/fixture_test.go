package reconcile_test

import (
	"context"
	"errors"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const (
	adminPassword = "the administrator's own password"
	adasPassword  = secret.String("correct horse battery staple")
)

// A fixture is the store of a gateway and a Nextcloud.
type fixture struct {
	t        *testing.T
	db       *store.DB
	cloud    *nextcloudtest.Server
	url      string
	recorder *desired.Recorder
	settings reconcile.Settings
	secret   secret.String
	ring     *keyring.Ring

	mu  sync.Mutex
	now time.Time
}

func newFixture(t *testing.T, db *store.DB, env map[string]string) *fixture {
	t.Helper()
	f := &fixture{t: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.cloud = nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword, Now: f.time})
	server := httptest.NewServer(f.cloud)
	t.Cleanup(server.Close)
	f.url = server.URL
	all := map[string]string{
		"NEXTCLOUD_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": adminPassword,
	}
	maps.Copy(all, env)
	e := config.Map(all)
	var err error
	f.secret = keyring.Generate()
	if f.ring, err = keyring.New(f.secret); err != nil {
		t.Fatal(err)
	}
	f.recorder = desired.NewRecorder(*setting.Of[desired.Policy](e), f.ring)
	f.settings = *setting.Of[reconcile.Settings](e)
	if err := e.Err(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) time() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// reconciler returns a new reconciler, as after a restart.
func (f *fixture) reconciler() *reconcile.Reconciler {
	f.t.Helper()
	return reconcile.New(f.db, f.settings, f.ring, f.time)
}

// register creates an account with its desired state, as registration does.
func (f *fixture) register(email string) account.Account {
	f.t.Helper()
	a := account.Account{
		ID: account.NewID(), Email: account.Email(email), FullName: "Ada Lovelace", Role: account.User,
		Preferences: document.Empty, CreatedAt: f.time(), UpdatedAt: f.time(),
	}
	f.update(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.CreateAccount(ctx, a, "hash"); err != nil {
			return err
		}
		return f.recorder.Registered(ctx, tx, a, adasPassword, f.time())
	})
	return a
}

// retry makes the account due now, as an administrator does.
func (f *fixture) retry(a account.Account) {
	f.t.Helper()
	f.update(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.RetryNextcloud(ctx, tx.Operator(), a.ID, f.time())
		return err
	})
}

func (f *fixture) update(fn func(ctx context.Context, tx *store.Tx) error) {
	f.t.Helper()
	if err := f.db.Update(f.t.Context(), func(tx *store.Tx) error { return fn(f.t.Context(), tx) }); err != nil {
		f.t.Fatal(err)
	}
}

// batch runs one batch of r.
func (f *fixture) batch(r *reconcile.Reconciler) reconcile.Result {
	f.t.Helper()
	res, err := r.RunBatch(f.t.Context(), 100)
	if err != nil {
		f.t.Fatal(err)
	}
	return res
}

func (f *fixture) known(a account.Account) desired.Account {
	f.t.Helper()
	n, err := f.db.NextcloudAccount(f.t.Context(), a.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// settled fails the test unless a's account exists exactly once, in the desired state.
func (f *fixture) settled(a account.Account, password secret.String) {
	f.t.Helper()
	n := f.known(a)
	if n.Status != desired.Active || n.DueAt != nil || n.PendingPassword != nil || !n.Owned || n.LastSyncedAt == nil {
		f.t.Errorf("got row %+v", n)
	}
	if users := f.cloud.Users(); len(users) != 2 {
		f.t.Errorf("got %d Nextcloud users, want the administrator and one more: %+v", len(users), users)
	}
	u, ok := f.cloud.User(n.NextcloudID)
	if !ok || !u.Enabled || u.Email != string(a.Email) || u.DisplayName != a.FullName || u.Quota != "5 GB" {
		f.t.Errorf("got Nextcloud user %+v", u)
	}
	if !f.cloud.ValidCredentials(n.NextcloudID, password) {
		f.t.Error("the password does not work")
	}
	if app, err := f.recorder.Box.Open(n.AppPassword, string(n.UserID)); err != nil || !f.appPasswordOpens(n.NextcloudID, app) {
		f.t.Errorf("no app password works: %v", err)
	}
	got, err := f.db.Account(f.t.Context(), a.ID)
	if err != nil || got.NextcloudUserID != n.NextcloudID {
		f.t.Errorf("got Nextcloud ID %q, %v", got.NextcloudUserID, err)
	}
}

// appPasswordOpens reports whether app is a valid app password of the account.
func (f *fixture) appPasswordOpens(id string, app secret.String) bool {
	f.t.Helper()
	u, err := f.client().Authenticate(f.t.Context(), id, app)
	return err == nil && u.ID == id && len(app) == 72 // the length of Nextcloud's app passwords
}

// client returns a client with the administrator's credentials.
func (f *fixture) client() *ocs.Client {
	f.t.Helper()
	base, err := url.Parse(f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	client := ocs.New(ocs.Config{URL: base, AdminUser: "admin", AdminPassword: adminPassword})
	f.t.Cleanup(client.Close)
	return client
}

// isNotReady reports whether err includes a time to retry after.
func isNotReady(err error) bool {
	return errors.Is(err, access.ErrNotReady) && fault.Of(err).RetryAfter > 0
}

// changed records the desired state after a change of a.
func (f *fixture) changed(a account.Account) {
	f.t.Helper()
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
}

// removed deletes a and applies the deletion policy.
func (f *fixture) removed(a account.Account) {
	f.t.Helper()
	f.batch(f.reconciler())
	f.update(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.DeleteAccount(ctx, tx.Operator(), a.ID); err != nil {
			return err
		}
		return f.recorder.Deleted(ctx, tx, a, f.time())
	})
	f.batch(f.reconciler())
}
