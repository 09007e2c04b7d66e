package access_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// notReady fails the test unless err is ErrNotReady with that Retry-After.
func notReady(t *testing.T, name string, err error, retry time.Duration) {
	t.Helper()
	if !errors.Is(err, access.ErrNotReady) || fault.Of(err).RetryAfter != retry {
		t.Errorf("%s: %v, retry after %v; want ErrNotReady after %v", name, err, fault.Of(err).RetryAfter, retry)
	}
}

func TestStorage_OpensTheFolderOfAnExistingAccount(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		o, err := f.storage.Open(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Stat(t.Context(), webdav.Path{}); err != nil {
			t.Errorf("the folder cannot be read: %v", err)
		}
		if got, want := o.Public.URL(webdav.Path{}), "https://cloud.example.org/remote.php/dav/files/ada@example.org"; got != want {
			t.Errorf("users reach it at %s, want %s", got, want)
		}
	})
}

func TestStorage_IsNotReady(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		_, err := f.storage.Open(t.Context(), account.NewID())
		notReady(t, "an unknown account", err, 5*time.Second)
		a := f.register("ada@example.org")
		_, err = f.storage.Open(t.Context(), a.ID)
		notReady(t, "a due account", err, 5*time.Second)
		const failures = 4 // each makes the next attempt later
		f.cloud.Fail(nextcloudtest.Times(failures, nextcloudtest.Answer(http.StatusInternalServerError, "text/html", "", 0),
			nextcloudtest.On(http.MethodPost, "/users")))
		for range failures {
			f.now = f.now.Add(time.Hour)
			f.reconcile()
		}
		if due := f.recorded(a).DueAt; due == nil || due.Sub(f.now) <= 5*time.Second {
			t.Fatalf("the next attempt is at %v", due)
		}
		_, err = f.storage.Open(t.Context(), a.ID)
		notReady(t, "an account that waits", err, f.recorded(a).DueAt.Sub(f.now).Truncate(time.Second))

		b := f.register("grace@example.org")
		f.cloud.AddUser("grace@example.org", "another password", "")
		f.reconcile()
		_, err = f.storage.Open(t.Context(), b.ID)
		if f.recorded(b).DueAt != nil {
			t.Fatal("the account in conflict is due")
		}
		notReady(t, "an account in conflict", err, 15*time.Minute)

		f.recordDisabled(a)
		_, err = f.storage.Open(t.Context(), a.ID)
		notReady(t, "an account that should be disabled", err, 5*time.Second)
	})
}

// recordDisabled provisions the account, and records that it should be disabled.
func (f *fixture) recordDisabled(a account.Account) {
	f.t.Helper()
	f.now = f.now.Add(time.Hour)
	f.reconcile()
	if _, err := f.storage.Open(f.t.Context(), a.ID); err != nil {
		f.t.Fatal(err)
	}
	a.DisabledAt = &f.now
	f.update(func(tx *store.Tx) error { return f.recorder.Changed(f.t.Context(), tx, a, f.now) })
}

func TestStorage_WithoutNextcloud(t *testing.T) {
	t.Parallel()
	s := access.NewStorage(nextcloud.Server{}, nil, nil, time.Now)
	if _, err := s.Open(t.Context(), account.NewID()); !errors.Is(err, nextcloud.ErrNotConfigured) {
		t.Errorf("Open: %v", err)
	}
	apps := s.AppPasswords()
	if err := apps.Ready(t.Context(), account.NewID()); !errors.Is(err, nextcloud.ErrNotConfigured) {
		t.Errorf("Ready: %v", err)
	}
	if list, err := apps.List(t.Context(), account.NewID()); err != nil || list == nil || len(list) != 0 {
		t.Errorf("List: %v, %v", list, err)
	}
}

// TestStorage_DiscardsAPasswordWithoutAKey opens storage with other keys than those that
// sealed the app password.
func TestStorage_DiscardsAPasswordWithoutAKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		others, err := keyring.New(keyring.Generate())
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.storageWith(others).Open(t.Context(), a.ID)
		notReady(t, "without the key", err, 5*time.Second)
		if f.recorded(a).AppPassword != nil || !f.due(a) || f.notified.Load() != 1 {
			t.Errorf("the app password remains, or the reconciler is not asked for another: due %t, notified %d", f.due(a), f.notified.Load())
		}
	})
}

func TestStorage_FailedMakesTheAccountDue(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		for _, tt := range []struct {
			name     string
			err      error // nil: the call's own
			spoil    func(id string)
			discards bool
			repairs  bool
		}{
			{name: "a rejected app password", spoil: f.cloud.RevokeAll, discards: true, repairs: true},
			{name: "a disabled account", err: webdav.ErrDisabled, repairs: true},
			{name: "an outage", spoil: func(string) { f.cloud.SetMaintenance(true) }},
			{name: "a failed server", err: ocs.ErrUnavailable},
		} {
			f.cloud.SetMaintenance(false)
			f.now = f.now.Add(time.Hour)
			a := f.provision(string(account.NewID()) + "@example.org")
			f.notified.Store(0)
			o, err := f.storage.Open(t.Context(), a.ID)
			if err != nil {
				t.Fatal(err)
			}
			if tt.spoil != nil {
				tt.spoil(f.recorded(a).NextcloudID)
				_, tt.err = o.Stat(t.Context(), webdav.Path{})
			}
			got := f.storage.Failed(t.Context(), o, tt.err)
			if !errors.Is(got, tt.err) || tt.err == nil {
				t.Errorf("%s: %v, want one with the cause %v", tt.name, got, tt.err)
			}
			if tt.repairs {
				notReady(t, tt.name, got, 5*time.Second)
			} else if errors.Is(got, access.ErrNotReady) {
				t.Errorf("%s: %v", tt.name, got)
			}
			if discarded := f.recorded(a).AppPassword == nil; discarded != tt.discards || f.due(a) != tt.repairs || (f.notified.Load() == 1) != tt.repairs {
				t.Errorf("%s: discarded %t, due %t, notified %d", tt.name, discarded, f.due(a), f.notified.Load())
			}
		}
	})
}

// TestStorage_FailedKeepsANewerPassword reports the failure of a request that began before
// the reconciler replaced the app password.
func TestStorage_FailedKeepsANewerPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		old, err := f.storage.Open(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.storage.Failed(t.Context(), old, ocs.ErrUnauthorized)
		f.update(func(tx *store.Tx) error {
			return f.recorder.PasswordChanged(t.Context(), tx, a, "an entirely new passphrase", f.now)
		})
		f.reconcile()
		if f.recorded(a).AppPassword == nil {
			t.Fatal("the app password was not replaced")
		}
		_ = f.storage.Failed(t.Context(), old, ocs.ErrUnauthorized)
		if f.recorded(a).AppPassword == nil {
			t.Error("the newer app password was discarded")
		}
	})
}
