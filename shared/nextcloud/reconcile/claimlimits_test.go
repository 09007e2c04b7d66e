package reconcile_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestClaim_LimitsHoldAcrossProcesses tries wrong passwords through a new reconciler
// each time, as after restarts and in other processes.
func TestClaim_LimitsHoldAcrossProcesses(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db, nil)
		a, by := w.inConflict()
		for range 3 {
			_, err := w.claim(by, "a guess")
			w.wantCode("a wrong password", err, "wrong_nextcloud_password")
		}
		calls := len(w.cloud.Calls())
		_, err := w.claim(by, herPassword)
		if c, wait := code(err); c != "too_many_claims" || wait <= 23*time.Hour || wait > 24*time.Hour {
			t.Errorf("after three attempts: got %v, wait %v", err, wait)
		}
		if w.cloud.FailedLogins() != 3 {
			t.Errorf("%d failed logins in %d calls", w.cloud.FailedLogins(), len(w.cloud.Calls())-calls)
		}
		if got := w.events(); got[audit.ClaimRefused] != 3 || got[audit.Claimed] != 0 {
			t.Errorf("got audit events %v", got)
		}
		w.advance(24 * time.Hour)
		if _, err := w.claim(by, herPassword); err != nil {
			t.Errorf("a day later: got %v", err)
		}
		w.batch(w.reconciler())
		w.unchanged(a)
	})
}

func TestClaim_GlobalLimit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const people = 9
		w := newWorld(t, db, map[string]string{"NEXTCLOUD_USER_ID": "uuid"})
		w.cloud.SetAllowListed(true)
		by := make([]signin.Proof, people)
		for i := range by {
			address := fmt.Sprintf("user%d@example.org", i)
			w.cloud.AddUser(fmt.Sprint("user", i), herPassword, address)
			by[i] = w.proof(w.register(address))
		}
		w.batch(w.reconciler())
		var all sync.WaitGroup
		codes := make([]string, people)
		for i := range by {
			all.Go(func() {
				_, err := w.claim(by[i], "a guess")
				codes[i], _ = code(err)
			})
		}
		all.Wait()
		count := map[string]int{}
		for _, c := range codes {
			count[c]++
		}
		if count["wrong_nextcloud_password"] != 5 || count["too_many_claims"] != people-5 {
			t.Errorf("got %v", count)
		}
		w.advance(30 * time.Minute)
		_, err := w.claim(by[8], "a guess")
		w.wantCode("half an hour later", err, "wrong_nextcloud_password")
	})
}

func TestClaim_RefusedWhileNextcloudThrottles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t), nil)
	_, by := w.inConflict()
	w.cloud.AddFailedLogins("127.0.0.1", "somebody", 1)
	_, err := w.claim(by, herPassword)
	if c, wait := code(err); c != "too_many_claims" || wait <= 0 {
		t.Errorf("with a delay: got %v", err)
	}
	w.cloud.Forgive()
	if _, err := w.claim(by, herPassword); err != nil {
		t.Errorf("without a delay: got %v", err)
	}
}
