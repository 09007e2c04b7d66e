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
		before func(w *world) // between deletion and registration
		byUUID bool
	}{
		"deleted":          {policy: "delete", before: func(w *world) { w.batch(w.reconciler()) }},
		"deletion pending": {policy: "delete", before: func(*world) {}},
		"deletion crashed": {policy: "delete", before: func(w *world) {
			w.cloud.Fail(nextcloudtest.Times(1, nextcloudtest.CutAfter(), nextcloudtest.On(http.MethodDelete, "")))
			w.batch(w.reconciler())
		}},
		"deletion fails": {policy: "delete", before: func(w *world) {
			w.cloud.Fail(nextcloudtest.Times(1000, nextcloudtest.CutBefore(), nextcloudtest.On(http.MethodDelete, "")))
		}, byUUID: true},
		"deletion unavailable": {policy: "delete", before: func(w *world) { // retried forever
			w.cloud.Fail(nextcloudtest.Times(1000, nextcloudtest.Maintenance(), nextcloudtest.On(http.MethodDelete, "")))
		}, byUUID: true},
		"disabled":          {policy: "disable", before: func(w *world) { w.batch(w.reconciler()) }, byUUID: true},
		"disabling pending": {policy: "disable", before: func(*world) {}, byUUID: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				w := newWorld(t, db, map[string]string{"NEXTCLOUD_ON_DELETE": c.policy})
				old := w.register("ada@example.org")
				w.batch(w.reconciler())
				w.update(func(ctx context.Context, tx *store.Tx) error {
					if err := tx.DeleteAccount(ctx, tx.Operator(), old.ID); err != nil {
						return err
					}
					return w.recorder.Deleted(ctx, tx, old, w.time())
				})
				c.before(w)
				a := w.register("ada@example.org")
				for range 20 {
					w.batch(w.reconciler())
					w.advance(time.Minute)
				}
				want := "ada@example.org"
				if c.byUUID {
					want = string(a.ID)
				}
				n := w.known(a)
				if n.NextcloudID != want || n.Status != "active" {
					t.Errorf("got row %+v, want ID %s", n, want)
				}
				if u, ok := w.cloud.User(want); !ok || !u.Enabled {
					t.Errorf("got Nextcloud users %+v", w.cloud.Users())
				}
			})
		})
	}
}
