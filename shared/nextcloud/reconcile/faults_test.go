package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// on matches calls about one user.
func on(id string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/users/"+id) }
}

func TestReconciler_BrokenAccountDoesNotDelayOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	bad := f.register("bad@example.org")
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodPut && on("bad@example.org")(r) {
			return nextcloudtest.Crash() // as if a hook of the server failed for this user
		}
		return nil
	})
	r := f.reconciler()
	for i := range 30 {
		fresh := f.register(fmt.Sprintf("user%d@example.org", i))
		f.batch(r)
		f.advance(15 * time.Second)
		f.batch(r)
		if n := f.known(fresh); n.Status != desired.Active {
			t.Fatalf("round %d: a broken account delays a new one: %s %s", i, n.Status, n.LastError)
		}
		f.advance(15 * time.Minute)
	}
	if n := f.known(bad); n.Status != desired.Failed || !n.Owned {
		t.Errorf("after many failures the broken account is %s, %d attempts; want it parked and visible", n.Status, n.Attempts)
	}
}

func TestReconciler_OutageParksNoAccount(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]nextcloudtest.Fault{
		"no answer": nextcloudtest.CutBefore(), "maintenance": nextcloudtest.Maintenance(),
		"502 of a proxy": nextcloudtest.Answer(http.StatusBadGateway, "text/html", "<html>", 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, storetest.SQLite(t), nil)
			a := f.register("ada@example.org")
			f.cloud.Fail(func(*http.Request) nextcloudtest.Fault { return fault })
			r := f.reconciler()
			for range 40 {
				f.batch(r)
				f.advance(time.Hour)
			}
			if n := f.known(a); n.Status != desired.Pending || n.Attempts != 0 {
				t.Errorf("after a long outage: got %s, %d attempts", n.Status, n.Attempts)
			}
			f.cloud.Fail(nil)
			f.batch(r)
			f.settled(a, adasPassword)
		})
	}
}

func TestReconciler_RefusedAddressDoesNotBlockOtherChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	r := f.reconciler()
	f.batch(r)
	a.Email = "ada@exämple.org" // valid for the gateway, refused by Nextcloud
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if r.Method == http.MethodPut && r.FormValue("key") == "email" {
			return nextcloudtest.Answer(http.StatusBadRequest, "application/json",
				`{"ocs":{"meta":{"status":"failure","statuscode":102,"message":""},"data":[]}}`, 0)
		}
		return nil
	})
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Changed(ctx, tx, a, f.time()) })
	f.update(func(ctx context.Context, tx *store.Tx) error {
		return f.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", f.time())
	})
	f.batch(r)
	n := f.known(a)
	if n.Status != desired.Active || n.LastError != reconcile.Refused || n.DueAt != nil {
		t.Errorf("got row %s, %s, due %v; want it active with the refusal recorded", n.Status, n.LastError, n.DueAt)
	}
	if !f.cloud.ValidCredentials(n.NextcloudID, "an entirely new passphrase") {
		t.Error("the refused address blocked the password change")
	}
}

func TestReconciler_StopsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	f.register("ada@example.org")
	ctx, cancel := context.WithTimeout(t.Context(), reconcile.MinAttemptTime)
	defer cancel()
	got, err := f.reconciler().RunBatch(ctx, 10)
	if err != nil || got != (reconcile.Result{Remaining: 1}) {
		t.Errorf("just before the deadline: got %+v, %v; want no attempt and no error", got, err)
	}
	if n := len(f.cloud.Calls()); n != 0 {
		t.Errorf("got %d calls, want none", n)
	}
	if got := f.batch(f.reconciler()); got.Succeeded != 1 {
		t.Errorf("the lease was not released: %+v", got)
	}
}

func TestDeleted_KeepsNoPassword(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, policy := range []string{"disable", "delete", "keep"} {
			f := newFixture(t, db, map[string]string{"NEXTCLOUD_ON_DELETE": policy})
			a := f.register(policy + "@example.org")
			if f.known(a).PendingPassword == nil {
				t.Fatal("no password is pending, so the test proves nothing")
			}
			f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Deleted(ctx, tx, a, f.time()) })
			if n, err := db.NextcloudAccount(t.Context(), a.ID); err == nil && n.PendingPassword != nil {
				t.Errorf("%s: the password of a deleted user is still pending", policy)
			}
		}
	})
}

func TestDeleted_KeepLeavesTheAccountUnchanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "keep"})
	a := f.register("ada@example.org")
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Deleted(ctx, tx, a, f.time()) })
	f.batch(f.reconciler())
	if _, there := f.cloud.User("ada@example.org"); there {
		t.Error("an account was created for a deleted user")
	}

	bob := f.register("bob@example.org")
	f.batch(f.reconciler())
	f.update(func(ctx context.Context, tx *store.Tx) error {
		if err := f.recorder.PasswordChanged(ctx, tx, bob, "an entirely new passphrase", f.time()); err != nil {
			return err
		}
		return f.recorder.Deleted(ctx, tx, bob, f.time())
	})
	if got := f.batch(f.reconciler()); got.Attempted != 0 {
		t.Errorf("the account of a deleted user is still processed: %+v", got)
	}
	if n := f.known(bob); n.PendingPassword != nil || !f.cloud.ValidCredentials("bob@example.org", adasPassword) {
		t.Errorf("the account was changed: %+v", n)
	}
}

func TestReconciler_LostKeyBlocksNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
	a := f.register("ada@example.org")
	ring, err := keyring.New(keyring.Generate())
	if err != nil {
		t.Fatal(err)
	}
	f.recorder.Box = seal.New(ring.Derive(desired.Purpose))
	r := f.reconciler()
	for range 3 {
		f.batch(r)
		f.advance(time.Minute)
	}
	if n := f.known(a); n.Status != desired.Active || !n.Owned {
		t.Errorf("got row %s, %s", n.Status, n.LastError)
	}
}

func TestReconciler_ProvesOwnershipByTheAccountID(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	n := f.known(a)
	first, err := f.recorder.Box.Open(n.InitialPassword, string(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	// The ID belongs to another account, and a third one has it as its address.
	f.cloud.AddUser("ada@example.org", "her own password", "")
	f.cloud.AddUser("other", first, "ada@example.org")
	f.cloud.Fail(func(r *http.Request) nextcloudtest.Fault {
		if user, password, _ := r.BasicAuth(); user == "ada@example.org" && password == first.Reveal() {
			// A login name may be an address: the server tries it after the ID.
			return func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
				r.SetBasicAuth("other", password)
				next.ServeHTTP(rw, r)
			}
		}
		return nil
	})
	f.batch(f.reconciler())
	if n := f.known(a); n.Status != desired.Conflict || n.Owned {
		t.Errorf("got row %s, owned = %v; another account accepted the password", n.Status, n.Owned)
	}
}

func TestReconciler_SurvivesACrashDuringAnotherRun(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for at := 1; at <= 7; at++ {
			f := newFixture(t, db, nil)
			a := f.register(fmt.Sprintf("ada%d@example.org", at))
			other := f.reconciler()
			r, seen := f.reconciler(), 0
			reconcile.OnTrace(r, func(string) {
				seen++
				if _, err := other.RunBatch(t.Context(), 10); err != nil { // finds the account leased
					t.Error(err)
				}
				if seen == at {
					panic(errCrash{})
				}
			})
			if !crashes(func() { f.batch(r) }) {
				t.Fatalf("point %d was not reached", at)
			}
			f.advance(time.Hour)
			f.batch(other)
			f.batch(other)
			f.settled(a, adasPassword)
			creates := 0
			for _, c := range f.cloud.Calls() {
				if c.Method == http.MethodPost && c.Status == http.StatusOK {
					creates++
				}
			}
			if creates != 1 {
				t.Errorf("point %d: %d accounts were created", at, creates)
			}
		}
	})
}

func TestReconciler_KeepsSecretsOutOfTheRow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a := f.register("ada@example.org")
	n := f.known(a)
	for _, box := range [][]byte{n.PendingPassword, n.InitialPassword} {
		if strings.Contains(string(box), adasPassword.Reveal()) {
			t.Error("a password is stored in plain text")
		}
	}
	if _, err := f.recorder.Box.Open(n.PendingPassword, string(account.NewID())); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("the sealed password opens for another user: %v", err)
	}
}
