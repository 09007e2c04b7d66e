package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// apps returns the number of fetched app passwords, and whether the stored one is valid for
// a's account.
func (w *world) apps(a account.Account) (fetched int, opens bool) {
	w.t.Helper()
	for _, c := range w.cloud.Calls() {
		if strings.HasSuffix(c.Path, "/core/getapppassword") {
			fetched++
		}
	}
	n := w.known(a)
	app, err := w.recorder.Box.Open(n.AppPassword, string(n.UserID))
	return fetched, err == nil && w.appPasswordOpens(n.NextcloudID, app)
}

func TestReconciler_FetchesOneAppPassword(t *testing.T) {
	t.Parallel()
	t.Run("after several changes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), nil)
		a := w.register("ada@example.org")
		r := w.reconciler()
		for range 3 {
			w.batch(r)
			w.update(func(ctx context.Context, tx *store.Tx) error {
				return w.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", w.time())
			})
		}
		if fetched, opens := w.apps(a); fetched != 1 || !opens {
			t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
		}
	})
	t.Run("after a crash, with the password no longer known", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
		a := w.register("ada@example.org")
		r := w.reconciler()
		reconcile.OnTrace(r, func(point string) {
			if point == "owned" {
				panic(errCrash{})
			}
		})
		if !crashes(func() { w.batch(r) }) {
			t.Fatal("it did not crash")
		}
		w.advance(time.Hour)
		w.batch(w.reconciler())
		if fetched, opens := w.apps(a); fetched != 1 || !opens {
			t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
		}
	})
	t.Run("another one for a recreated account", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
		a := w.register("ada@example.org")
		r := w.reconciler()
		w.batch(r)
		w.cloud.RemoveUser("ada@example.org")
		if _, err := w.db.RecheckNextcloud(t.Context(), w.time()); err != nil {
			t.Fatal(err)
		}
		w.batch(r)
		w.batch(r)
		if fetched, opens := w.apps(a); fetched != 2 || !opens {
			t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
		}
	})
}
