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

// A world is the store of a gateway and a Nextcloud.
type world struct {
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

func newWorld(t *testing.T, db *store.DB, env map[string]string) *world {
	t.Helper()
	w := &world{t: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.cloud = nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword, Now: w.time})
	server := httptest.NewServer(w.cloud)
	t.Cleanup(server.Close)
	w.url = server.URL
	all := map[string]string{
		"NEXTCLOUD_URL": server.URL, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": adminPassword,
	}
	maps.Copy(all, env)
	e := config.Map(all)
	var err error
	w.secret = keyring.Generate()
	if w.ring, err = keyring.New(w.secret); err != nil {
		t.Fatal(err)
	}
	w.recorder = desired.NewRecorder(*setting.Of[desired.Policy](e), w.ring)
	w.settings = *setting.Of[reconcile.Settings](e)
	if err := e.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// reconciler returns a new reconciler, as after a restart.
func (w *world) reconciler() *reconcile.Reconciler {
	w.t.Helper()
	return reconcile.New(w.db, w.settings, w.ring, w.time)
}

// register creates an account with its desired state, as registration does.
func (w *world) register(email string) account.Account {
	w.t.Helper()
	a := account.Account{
		ID: account.NewID(), Email: account.Email(email), FullName: "Ada Lovelace", Role: account.User,
		Preferences: document.Empty, CreatedAt: w.time(), UpdatedAt: w.time(),
	}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.CreateAccount(ctx, a, "hash"); err != nil {
			return err
		}
		return w.recorder.Registered(ctx, tx, a, adasPassword, w.time())
	})
	return a
}

// retry makes the account due now, as an administrator does.
func (w *world) retry(a account.Account) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.RetryNextcloud(ctx, tx.Operator(), a.ID, w.time())
		return err
	})
}

func (w *world) update(fn func(ctx context.Context, tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), func(tx *store.Tx) error { return fn(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

// batch runs one batch of r.
func (w *world) batch(r *reconcile.Reconciler) reconcile.Result {
	w.t.Helper()
	res, err := r.RunBatch(w.t.Context(), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

func (w *world) known(a account.Account) desired.Account {
	w.t.Helper()
	n, err := w.db.NextcloudAccount(w.t.Context(), a.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// settled fails the test unless a's account exists exactly once, in the desired state.
func (w *world) settled(a account.Account, password secret.String) {
	w.t.Helper()
	n := w.known(a)
	if n.Status != desired.Active || n.DueAt != nil || n.PendingPassword != nil || !n.Owned || n.LastSyncedAt == nil {
		w.t.Errorf("got row %+v", n)
	}
	if users := w.cloud.Users(); len(users) != 2 {
		w.t.Errorf("got %d Nextcloud users, want the administrator and one more: %+v", len(users), users)
	}
	u, ok := w.cloud.User(n.NextcloudID)
	if !ok || !u.Enabled || u.Email != string(a.Email) || u.DisplayName != a.FullName || u.Quota != "5 GB" {
		w.t.Errorf("got Nextcloud user %+v", u)
	}
	if !w.cloud.Opens(n.NextcloudID, password) {
		w.t.Error("the password does not work")
	}
	if app, err := w.recorder.Box.Open(n.AppPassword, string(n.UserID)); err != nil || !w.appPasswordOpens(n.NextcloudID, app) {
		w.t.Errorf("no app password works: %v", err)
	}
	got, err := w.db.Account(w.t.Context(), a.ID)
	if err != nil || got.NextcloudUserID != n.NextcloudID {
		w.t.Errorf("got Nextcloud ID %q, %v", got.NextcloudUserID, err)
	}
}

// appPasswordOpens reports whether app is a valid app password of the account.
func (w *world) appPasswordOpens(id string, app secret.String) bool {
	w.t.Helper()
	u, err := w.client().Authenticate(w.t.Context(), id, app)
	return err == nil && u.ID == id && len(app) == 72 // the length of Nextcloud's app passwords
}

// client returns a client with the administrator's credentials.
func (w *world) client() *ocs.Client {
	w.t.Helper()
	base, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	client := ocs.New(ocs.Config{URL: base, AdminUser: "admin", AdminPassword: adminPassword})
	w.t.Cleanup(client.Close)
	return client
}

// isNotReady reports whether err includes a time to retry after.
func isNotReady(err error) bool {
	return errors.Is(err, access.ErrNotReady) && fault.Of(err).RetryAfter > 0
}

// changed records the desired state after a change of a.
func (w *world) changed(a account.Account) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error { return w.recorder.Changed(ctx, tx, a, w.time()) })
}

// removed deletes a and applies the deletion policy.
func (w *world) removed(a account.Account) {
	w.t.Helper()
	w.batch(w.reconciler())
	w.update(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.DeleteAccount(ctx, tx.Operator(), a.ID); err != nil {
			return err
		}
		return w.recorder.Deleted(ctx, tx, a, w.time())
	})
	w.batch(w.reconciler())
}
