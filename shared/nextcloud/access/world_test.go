package access_test

import (
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/secret"
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

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

const (
	adminPassword = "the administrator's own password"
	adasPassword  = secret.String("correct horse battery staple")
)

// A world is a gateway's store and a Nextcloud.
type world struct {
	t        *testing.T
	db       *store.DB
	cloud    *nextcloudtest.Server
	server   nextcloud.Server
	recorder *desired.Recorder
	settings reconcile.Settings
	ring     *keyring.Ring
	storage  *access.Storage
	now      time.Time
	notified atomic.Int64 // how often the reconciler was woken
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.cloud = nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword, Now: w.time})
	listening := httptest.NewServer(w.cloud)
	t.Cleanup(listening.Close)
	base, err := url.Parse(listening.URL)
	if err != nil {
		t.Fatal(err)
	}
	if w.ring, err = keyring.New(keyring.Generate()); err != nil {
		t.Fatal(err)
	}
	w.server = nextcloud.Server{URL: base, PublicURL: &url.URL{Scheme: "https", Host: "cloud.example.org"}}
	policy := desired.Policy{Enabled: true, Quota: "5 GB", ByEmail: true, PasswordSync: true}
	w.settings = reconcile.Settings{Server: w.server, Policy: policy, Admin: "admin", Password: adminPassword}
	w.recorder = desired.NewRecorder(policy, w.ring)
	w.storage = w.storageWith(w.ring)
	return w
}

func (w *world) time() time.Time { return w.now }

// storageWith returns a storage that has the keys of ring.
func (w *world) storageWith(ring *keyring.Ring) *access.Storage {
	s := access.NewStorage(w.server, w.db, ring, w.time)
	s.Notify = func() { w.notified.Add(1) }
	return s
}

// register creates an account and records its desired state, as registration does.
func (w *world) register(email string) account.Account {
	w.t.Helper()
	a := account.Account{
		ID: account.NewID(), Email: account.Email(email), FullName: "Ada Lovelace", Role: account.User,
		Preferences: document.Empty, CreatedAt: w.now, UpdatedAt: w.now,
	}
	w.update(func(tx *store.Tx) error {
		if err := tx.CreateAccount(w.t.Context(), a, "hash"); err != nil {
			return err
		}
		return w.recorder.Registered(w.t.Context(), tx, a, adasPassword, w.now)
	})
	return a
}

// provision registers an account and has the reconciler create it in Nextcloud.
func (w *world) provision(email string) account.Account {
	w.t.Helper()
	a := w.register(email)
	w.reconcile()
	return a
}

func (w *world) reconcile() {
	w.t.Helper()
	if _, err := reconcile.New(w.db, w.settings, w.ring, w.time).RunBatch(w.t.Context(), 100); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) update(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) recorded(a account.Account) desired.Account {
	w.t.Helper()
	n, err := w.db.NextcloudAccount(w.t.Context(), a.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// due reports whether the reconciler will work on the account now.
func (w *world) due(a account.Account) bool {
	w.t.Helper()
	n := w.recorded(a)
	return n.DueAt != nil && !n.DueAt.After(w.now)
}

// proof starts a login and returns the proof of a request in it that sent a password
// with the hash.
func (w *world) proof(a account.Account, hash secret.String) signin.Proof {
	w.t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", w.now, signin.Lifetimes{Idle: signin.DefaultIdle})
	if err := w.db.StartLogin(w.t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, w.now)); err != nil {
		w.t.Fatal(err)
	}
	return signin.NewProof(a.ID, l.ID).WithPassword(hash)
}

func (w *world) event(name audit.Name, a account.Account) audit.Event {
	return audit.New(name, a.ID, audit.Origin{}, w.now)
}

// audited reports whether the audit trail has such an event about the user.
func (w *world) audited(name audit.Name, a account.Account) bool {
	w.t.Helper()
	events, err := w.db.AuditOf(w.t.Context(), a.ID, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.Name == name {
			return true
		}
	}
	return false
}
