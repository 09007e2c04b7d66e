package store_test

import (
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestNextcloudBreaker_IsKeptPerSettings(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		try := func(key string, now time.Time) bool {
			t.Helper()
			mine, err := db.BeginNextcloudTrial(ctx, key, now, now.Add(30*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			return mine
		}
		holds := func(key string, now time.Time, want store.BlockReason) {
			t.Helper()
			g, err := db.NextcloudBreaker(ctx, key, now)
			if err != nil || g.Reason != want || (g.OpenUntil == nil) != (want == "") {
				t.Errorf("%s: %+v, %v, want %q", key, g, err, want)
			}
		}
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		holds("old", noon, "")
		if !try("old", noon) || try("old", noon) || !try("new", noon) {
			t.Error("want exactly one trial for each settings key")
		}
		holds("old", noon, store.BlockedByTrial)
		check(db.EndNextcloudTrial(ctx, "old", noon)) // an earlier trial, already over
		holds("old", noon, store.BlockedByTrial)
		check(db.RecordNextcloudRefusal(ctx, "old", noon, noon.Add(5*time.Minute)))
		holds("old", noon, store.BlockedByRefusal)
		check(db.RecordNextcloudSuccess(ctx, "new", noon))
		holds("new", noon, "")
		if try("new", noon) || try("old", noon) {
			t.Error("settings with a known result are tried again")
		}
		check(db.RecordNextcloudOutage(ctx, "new", noon, noon.Add(time.Minute)))
		holds("new", noon, store.BlockedByOutage)
		holds("old", noon, store.BlockedByRefusal)
		if g, err := db.NextcloudBreaker(ctx, "new", noon); err != nil || g.Outages != 1 || g.Closed {
			t.Errorf("got %+v, %v", g, err)
		}
		holds("new", noon.Add(time.Minute), "")

		later := noon.Add(31 * 24 * time.Hour)
		if !try("newer", later) {
			t.Error("other settings are not tried")
		}
		if g, err := db.NextcloudBreaker(ctx, "new", later); err != nil || g.Outages != 0 {
			t.Errorf("unused settings are kept: %+v, %v", g, err)
		}
	})
}
