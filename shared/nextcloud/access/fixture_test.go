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

// A fixture is a gateway's store and a Nextcloud.
type fixture struct {
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

func newFixture(t *testing.T, db *store.DB) *fixture {
	t.Helper()
	f := &fixture{t: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.cloud = nextcloudtest.New(nextcloudtest.Options{AdminPassword: adminPassword, Now: f.time})
	listening := httptest.NewServer(f.cloud)
	t.Cleanup(listening.Close)
	base, err := url.Parse(listening.URL)
	if err != nil {
		t.Fatal(err)
	}
	if f.ring, err = keyring.New(keyring.Generate()); err != nil {
		t.Fatal(err)
	}
	f.server = nextcloud.Server{URL: base, PublicURL: &url.URL{Scheme: "https", Host: "cloud.example.org"}}
	policy := desired.Policy{Enabled: true, Quota: "5 GB", ByEmail: true, PasswordSync: true}
	f.settings = reconcile.Settings{Server: f.server, Policy: policy, Admin: "admin", Password: adminPassword}
	f.recorder = desired.NewRecorder(policy, f.ring)
	f.storage = f.storageWith(f.ring)
	return f
}

func (f *fixture) time() time.Time { return f.now }

// storageWith returns a storage that has the keys of ring.
func (f *fixture) storageWith(ring *keyring.Ring) *access.Storage {
	s := access.NewStorage(f.server, f.db, ring, f.time)
	s.Notify = func() { f.notified.Add(1) }
	return s
}

// register creates an account and records its desired state, as registration does.
func (f *fixture) register(email string) account.Account {
	f.t.Helper()
	a := account.Account{
		ID: account.NewID(), Email: account.Email(email), FullName: "Ada Lovelace", Role: account.User,
		Preferences: document.Empty, CreatedAt: f.now, UpdatedAt: f.now,
	}
	f.update(func(tx *store.Tx) error {
		if err := tx.CreateAccount(f.t.Context(), a, "hash"); err != nil {
			return err
		}
		return f.recorder.Registered(f.t.Context(), tx, a, adasPassword, f.now)
	})
	return a
}

// provision registers an account and has the reconciler create it in Nextcloud.
func (f *fixture) provision(email string) account.Account {
	f.t.Helper()
	a := f.register(email)
	f.reconcile()
	return a
}

func (f *fixture) reconcile() {
	f.t.Helper()
	if _, err := reconcile.New(f.db, f.settings, f.ring, f.time).RunBatch(f.t.Context(), 100); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) update(fn func(tx *store.Tx) error) {
	f.t.Helper()
	if err := f.db.Update(f.t.Context(), fn); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) recorded(a account.Account) desired.Account {
	f.t.Helper()
	n, err := f.db.NextcloudAccount(f.t.Context(), a.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// due reports whether the reconciler will work on the account now.
func (f *fixture) due(a account.Account) bool {
	f.t.Helper()
	n := f.recorded(a)
	return n.DueAt != nil && !n.DueAt.After(f.now)
}

// proof starts a login and returns the proof of a request in it that sent a password
// with the hash.
func (f *fixture) proof(a account.Account, hash secret.String) signin.Proof {
	f.t.Helper()
	l := signin.Start(a.ID, "device", "192.0.2.1", f.now, signin.Lifetimes{Idle: signin.DefaultIdle})
	if err := f.db.StartLogin(f.t.Context(), l, "hash", audit.New(audit.LoggedIn, a.ID, audit.Origin{}, f.now), nil); err != nil {
		f.t.Fatal(err)
	}
	return signin.NewProof(a.ID, l.ID).WithPassword(hash)
}

func (f *fixture) event(name audit.Name, a account.Account) audit.Event {
	return audit.New(name, a.ID, audit.Origin{}, f.now)
}

// audited reports whether the audit trail has such an event about the user.
func (f *fixture) audited(name audit.Name, a account.Account) bool {
	f.t.Helper()
	events, err := f.db.AuditOf(f.t.Context(), a.ID, 100)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range events {
		if e.Name == name {
			return true
		}
	}
	return false
}
