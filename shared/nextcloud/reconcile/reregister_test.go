package reconcile_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestReconciler_ReregisteredAddress deletes a user and registers the address again. The new
// account gets the address as its ID if the old account is gone or about to go; otherwise it
// gets an ID of its own.
func TestReconciler_ReregisteredAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy string
		before func(f *fixture) // between deletion and registration
		byUUID bool
	}{
		"deleted":          {policy: "delete", before: func(f *fixture) { f.batch(f.reconciler()) }},
		"deletion pending": {policy: "delete", before: func(*fixture) {}},
		"deletion crashed": {policy: "delete", before: func(f *fixture) {
			f.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.CutAfter(), nextcloudtest.On(http.MethodDelete, "")))
			f.batch(f.reconciler())
		}},
		"deletion fails": {policy: "delete", before: func(f *fixture) {
			f.cloud.Fail(nextcloudtest.Times(1000, nextcloudtest.CutBefore(), nextcloudtest.On(http.MethodDelete, "")))
		}, byUUID: true},
		"deletion unavailable": {policy: "delete", before: func(f *fixture) { // retried forever
			f.cloud.Fail(nextcloudtest.Times(1000, nextcloudtest.Maintenance(), nextcloudtest.On(http.MethodDelete, "")))
		}, byUUID: true},
		"disabled":          {policy: "disable", before: func(f *fixture) { f.batch(f.reconciler()) }, byUUID: true},
		"disabling pending": {policy: "disable", before: func(*fixture) {}, byUUID: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				f := newFixture(t, db, map[string]string{"NEXTCLOUD_ON_DELETE": c.policy})
				old := f.register("ada@example.org")
				f.batch(f.reconciler())
				f.update(func(ctx context.Context, tx *store.Tx) error {
					if err := tx.DeleteAccount(ctx, tx.Operator(), old.ID); err != nil {
						return err
					}
					return f.recorder.Deleted(ctx, tx, old, f.time())
				})
				c.before(f)
				a := f.register("ada@example.org")
				for range 20 {
					f.batch(f.reconciler())
					f.advance(time.Minute)
				}
				want := "ada@example.org"
				if c.byUUID {
					want = string(a.ID)
				}
				n := f.known(a)
				if n.NextcloudID != want || n.Status != "active" {
					t.Errorf("got row %+v, want ID %s", n, want)
				}
				if u, ok := f.cloud.User(want); !ok || !u.Enabled {
					t.Errorf("got Nextcloud users %+v", f.cloud.Users())
				}
			})
		})
	}
}
