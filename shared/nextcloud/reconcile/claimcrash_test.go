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
		f := newFixture(t, storetest.SQLite(t), nil)
		a, by := f.inConflict()
		f.cloud.RemoveUser("Countess")
		_, err := f.claim(by, herPassword)
		f.wantCode("claimed", err, "changed_meanwhile")
		f.batch(f.reconciler())
		f.settled(a, adasPassword)
	})
	t.Run("after the claim", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), nil)
		a, by := f.inConflict()
		if _, err := f.claim(by, herPassword); err != nil {
			t.Fatal(err)
		}
		f.cloud.RemoveUser("Countess")
		r := f.reconciler()
		for range 3 {
			f.batch(r)
			f.advance(time.Hour)
		}
		if n := f.known(a); n.Status != desired.Active || n.Link != desired.NoLink || n.NextcloudID != "Countess" {
			t.Errorf("got row %+v", n)
		}
		if u, _ := f.cloud.User("Countess"); u.DisplayName != a.FullName {
			t.Errorf("got account %+v", u)
		}
	})
	t.Run("after the lookup, and the password belongs to another account", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), nil)
		f.cloud.AddUser("ada@example.org", "x", "")
		a := f.register("ada@example.org")
		r := f.reconciler()
		f.batch(r)
		reconcile.OnTrace(r, func(point string) {
			if point == "claim begun" {
				f.cloud.RemoveUser("ada@example.org")
				f.cloud.AddUser("Countess", herPassword, "ada@example.org")
			}
		})
		_, err := r.Claim(t.Context(), f.proof(a), herPassword, audit.New(audit.Claimed, a.ID, audit.Origin{}, f.time()))
		f.wantCode("claimed", err, "wrong_nextcloud_password")
		if n := f.known(a); n.Link != desired.NoLink {
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
		f := newFixture(t, storetest.SQLite(t), nil)
		a, by := f.inConflict()
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
			event := audit.New(audit.Claimed, a.ID, audit.Origin{}, f.time())
			if _, err := crash(f.reconciler()).Claim(t.Context(), by, herPassword, event); err != nil {
				t.Error(err)
			}
			f.batch(crash(f.reconciler()))
		})
		if !crashed {
			points = at - 1
		}
		f.advance(time.Hour) // the lease expires
		if _, err := f.claim(by, herPassword); err != nil {
			t.Errorf("point %d: second claim: %v", at, err)
		}
		for range 3 {
			f.batch(f.reconciler())
			f.advance(time.Hour)
		}
		f.unchanged(a)
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
			f := newFixture(t, storetest.SQLite(t), nil)
			a, by := f.inConflict()
			fault := nextcloudtest.CutAfter()
			if name == "of the capabilities" || name == "of the account" { // these calls may be repeated
				fault = nextcloudtest.Maintenance()
			}
			f.cloud.Fail(nextcloudtest.Times(1, fault, lost))
			_, err := f.claim(by, herPassword)
			if name != "of the app password" {
				if c, wait := code(err); c != "nextcloud_unavailable" || wait <= 0 {
					t.Errorf("got %v", err)
				}
				f.advance(time.Hour)
				_, err = f.claim(by, herPassword)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				f.batch(f.reconciler())
				f.advance(time.Hour)
			}
			f.unchanged(a)
		})
	}
}

// TestClaim_ExactlyOneConcurrentClaimWins claims one account many times concurrently.
func TestClaim_ExactlyOneConcurrentClaimWins(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil)
		a, by := f.inConflict()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if n, err := f.claim(by, herPassword); err != nil || n.NextcloudID != "Countess" {
					t.Errorf("got %+v, %v", n, err)
				}
			})
		}
		all.Wait()
		f.batch(f.reconciler())
		f.unchanged(a)
		if got := f.events(); got[audit.Claimed] != 1 {
			t.Errorf("got audit events %v", got)
		}
	})
}

func TestClaim_ExcludesTheReconciler(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	a, by := f.inConflict()
	f.retry(a)
	r, claimed := f.reconciler(), false
	reconcile.OnTrace(r, func(point string) {
		if point == "asked for the address" {
			claimed = true
			_, err := f.claim(by, herPassword)
			f.wantCode("claimed", err, "nothing_to_claim")
			_, err = f.adopt(a.ID, "Countess")
			f.wantCode("adopted", err, "changed_meanwhile")
		}
	})
	f.batch(r)
	if !claimed {
		t.Fatal("the reconciler did not reach the point")
	}
	if _, err := f.claim(by, herPassword); err != nil {
		t.Fatal(err)
	}
	f.batch(f.reconciler())
	f.unchanged(a)
}
