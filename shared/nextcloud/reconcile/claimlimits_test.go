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
		f := newFixture(t, db, nil)
		a, by := f.inConflict()
		for range 3 {
			_, err := f.claim(by, "a guess")
			f.wantCode("a wrong password", err, "wrong_nextcloud_password")
		}
		calls := len(f.cloud.Calls())
		_, err := f.claim(by, herPassword)
		if c, wait := code(err); c != "too_many_claims" || wait <= 23*time.Hour || wait > 24*time.Hour {
			t.Errorf("after three attempts: got %v, wait %v", err, wait)
		}
		if f.cloud.FailedLogins() != 3 {
			t.Errorf("%d failed logins in %d calls", f.cloud.FailedLogins(), len(f.cloud.Calls())-calls)
		}
		if got := f.events(); got[audit.ClaimRefused] != 3 || got[audit.Claimed] != 0 {
			t.Errorf("got audit events %v", got)
		}
		f.advance(24 * time.Hour)
		if _, err := f.claim(by, herPassword); err != nil {
			t.Errorf("a day later: got %v", err)
		}
		f.batch(f.reconciler())
		f.unchanged(a)
	})
}

func TestClaim_GlobalLimit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const people = 9
		f := newFixture(t, db, map[string]string{"NEXTCLOUD_USER_ID": "uuid"})
		f.cloud.SetAllowListed(true)
		by := make([]signin.Proof, people)
		for i := range by {
			address := fmt.Sprintf("user%d@example.org", i)
			f.cloud.AddUser(fmt.Sprint("user", i), herPassword, address)
			by[i] = f.proof(f.register(address))
		}
		f.batch(f.reconciler())
		var all sync.WaitGroup
		codes := make([]string, people)
		for i := range by {
			all.Go(func() {
				_, err := f.claim(by[i], "a guess")
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
		f.advance(30 * time.Minute)
		_, err := f.claim(by[8], "a guess")
		f.wantCode("half an hour later", err, "wrong_nextcloud_password")
	})
}

func TestClaim_RefusedWhileNextcloudThrottles(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), nil)
	_, by := f.inConflict()
	f.cloud.AddFailedLogins("127.0.0.1", "somebody", 1)
	_, err := f.claim(by, herPassword)
	if c, wait := code(err); c != "too_many_claims" || wait <= 0 {
		t.Errorf("with a delay: got %v", err)
	}
	f.cloud.ResetThrottle()
	if _, err := f.claim(by, herPassword); err != nil {
		t.Errorf("without a delay: got %v", err)
	}
}
