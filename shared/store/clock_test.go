package store_test

import (
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestReschedule schedules work with a clock that is an hour ahead, and sets it back.
func TestReschedule(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ahead := noon.Add(time.Hour)
		addDesired(t, db, "due@example.org", time.Hour)
		addDesired(t, db, "leased@example.org", -time.Hour)
		if rows, err := db.LeaseNextcloud(t.Context(), uid.New(), ahead.Add(-time.Minute), ahead.Add(time.Minute), 1); len(rows) != 1 || err != nil {
			t.Fatal(len(rows), err)
		}
		post(t, db, someone(t, db, "ada@example.org"), ahead)
		if ok, err := db.BeginNextcloudTrial(t.Context(), "settings", ahead, ahead.Add(time.Minute)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if err := db.RecordNextcloudOutage(t.Context(), "settings", ahead, ahead.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		blocked := func() bool {
			b, err := db.NextcloudBreaker(t.Context(), "settings", noon)
			if err != nil {
				t.Fatal(err)
			}
			return b.OpenUntil != nil
		}
		if !blocked() {
			t.Fatal("the circuit breaker is not open")
		}
		if err := db.Reschedule(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if blocked() {
			t.Error("Nextcloud is left alone for another hour")
		}
		if _, rows := lease(t, db, 9); len(rows) != 2 {
			t.Errorf("%d accounts are due, want 2", len(rows))
		}
		if list := leaseMail(t, db, uid.New(), noon, 9); len(list) != 1 {
			t.Errorf("%d mails are due, want 1", len(list))
		}
		// A lease that a correct clock can have set stays.
		if err := db.Reschedule(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
		if _, rows := lease(t, db, 9); len(rows) != 0 {
			t.Errorf("%d leases were ended, want none", len(rows))
		}
	})
}
