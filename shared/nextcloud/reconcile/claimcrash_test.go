package reconcile_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestClaim_AccountDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	t.Run("before the claim", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		w.cloud.RemoveUser("Countess")
		_, err := w.claim(by, herPassword)
		w.wantCode("claimed", err, "changed_meanwhile")
		w.batch(w.reconciler())
		w.settled(a, adasPassword)
	})
	t.Run("after the claim", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		if _, err := w.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		w.cloud.RemoveUser("Countess")
		r := w.reconciler()
		for range 3 {
			w.batch(r)
			w.advance(time.Hour)
		}
		if n := w.known(a); n.Status != desired.Active || n.Link != desired.NoLink || n.NextcloudID != "Countess" {
			t.Errorf("got row %+v", n)
		}
		if u, _ := w.cloud.User("Countess"); u.DisplayName != a.FullName {
			t.Errorf("got account %+v", u)
		}
	})
	t.Run("after the lookup, and the password belongs to another account", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		w.cloud.AddUser("ada@example.org", "x", "")
		a := w.register("ada@example.org")
		r := w.reconciler()
		w.batch(r)
		reconcile.OnTrace(r, func(point string) {
			if point == "claim begun" {
				w.cloud.RemoveUser("ada@example.org")
				w.cloud.AddUser("Countess", herPassword, "ada@example.org")
			}
		})
		_, err := r.Claim(t.Context(), w.proof(a), herPassword, audit.New(audit.Claimed, a.ID, audit.Origin{}, w.time()))
		w.wantCode("claimed", err, "wrong_nextcloud_password")
		if n := w.known(a); n.Link != desired.NoLink {
			t.Errorf("got row %+v", n)
		}
	})
}

// TestClaim_SurvivesACrashAnywhere stops after every call and commit of a claim and of the
// reconciler after it.
func TestClaim_SurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	points := 0
	for at := 1; points == 0 && !t.Failed(); at++ {
		w := newWorld(t, storetest.SQLite(t), nil)
		a, by := w.inConflict()
		seen := 0
		crash := func(r *reconcile.Reconciler) *reconcile.Reconciler {
			reconcile.OnTrace(r, func(string) {
				if seen++; seen == at {
					panic(errCrash{})
				}
			})
			return r
		}
		crashed := crashes(func() {
			event := audit.New(audit.Claimed, a.ID, audit.Origin{}, w.time())
			if _, err := crash(w.reconciler()).Claim(t.Context(), by, herPassword, event); err != nil {
				t.Error(err)
			}
			w.batch(crash(w.reconciler()))
		})
		if !crashed {
			points = at - 1
		}
		w.advance(time.Hour) // the lease expires
		if _, err := w.claim(by, herPassword); err != nil {
			t.Errorf("point %d: second claim: %v", at, err)
		}
		for range 3 {
			w.batch(w.reconciler())
			w.advance(time.Hour)
		}
		w.unchanged(a)
	}
	if points < 7 { // begin, try, claim, look, fetch app password, store, touch, settle
		t.Errorf("only %d points were tested", points)
	}
}

func TestClaim_LostAnswer(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]func(*http.Request) bool{
		"of the password":     nextcloudtest.On(http.MethodGet, "/cloud/user"),
		"of the app password": nextcloudtest.On(http.MethodGet, "/core/getapppassword"),
		"of the capabilities": nextcloudtest.On(http.MethodGet, "/cloud/capabilities"),
		"of the account":      nextcloudtest.On(http.MethodGet, "/cloud/users/Countess"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.SQLite(t), nil)
			a, by := w.inConflict()
			fault := nextcloudtest.CutAfter()
			if name == "of the capabilities" || name == "of the account" { // these calls may be repeated
				fault = nextcloudtest.Maintenance()
			}
			w.cloud.Fail(nextcloudtest.Times(1, fault, lost))
			_, err := w.claim(by, herPassword)
			if name != "of the app password" {
				if c, wait := code(err); c != "nextcloud_unavailable" || wait <= 0 {
					t.Errorf("got %v", err)
				}
				w.advance(time.Hour)
				_, err = w.claim(by, herPassword)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				w.batch(w.reconciler())
				w.advance(time.Hour)
			}
			w.unchanged(a)
		})
	}
}

// TestClaim_ExactlyOneConcurrentClaimWins claims one account many times concurrently.
func TestClaim_ExactlyOneConcurrentClaimWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if n, err := w.claim(by, herPassword); err != nil || n.NextcloudID != "Countess" {
					t.Errorf("got %+v, %v", n, err)
				}
			})
		}
		all.Wait()
		w.batch(w.reconciler())
		w.unchanged(a)
		if got := w.events(); got[audit.Claimed] != 1 {
			t.Errorf("got audit events %v", got)
		}
	})
}

func TestClaim_ExcludesTheReconciler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	a, by := w.inConflict()
	w.retry(a)
	r, claimed := w.reconciler(), false
	reconcile.OnTrace(r, func(point string) {
		if point == "asked for the address" {
			claimed = true
			_, err := w.claim(by, herPassword)
			w.wantCode("claimed", err, "nothing_to_claim")
			_, err = w.adopt(a.ID, "Countess")
			w.wantCode("adopted", err, "changed_meanwhile")
		}
	})
	w.batch(r)
	if !claimed {
		t.Fatal("the reconciler did not reach the point")
	}
	if _, err := w.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	w.batch(w.reconciler())
	w.unchanged(a)
}
