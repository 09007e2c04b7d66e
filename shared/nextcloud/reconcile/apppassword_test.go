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
func (f *fixture) apps(a account.Account) (fetched int, opens bool) {
	f.t.Helper()
	for _, c := range f.cloud.Calls() {
		if strings.HasSuffix(c.Path, "/core/getapppassword") {
			fetched++
		}
	}
	n := f.known(a)
	app, err := f.recorder.Box.Open(n.AppPassword, string(n.UserID))
	return fetched, err == nil && f.appPasswordOpens(n.NextcloudID, app)
}

func TestReconciler_FetchesOneAppPassword(t *testing.T) {
	t.Parallel()
	t.Run("after several changes", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), nil)
		a := f.register("ada@example.org")
		r := f.reconciler()
		for range 3 {
			f.batch(r)
			f.update(func(ctx context.Context, tx *store.Tx) error {
				return f.recorder.PasswordChanged(ctx, tx, a, "an entirely new passphrase", f.time())
			})
		}
		if fetched, opens := f.apps(a); fetched != 1 || !opens {
			t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
		}
	})
	t.Run("after a crash, with the password no longer known", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
		a := f.register("ada@example.org")
		r := f.reconciler()
		reconcile.OnTrace(r, func(point string) {
			if point == "owned" {
				panic(errCrash{})
			}
		})
		if !crashes(func() { f.batch(r) }) {
			t.Fatal("it did not crash")
		}
		f.advance(time.Hour)
		f.batch(f.reconciler())
		if fetched, opens := f.apps(a); fetched != 1 || !opens {
			t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
		}
	})
	t.Run("another one for a recreated account", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"})
		a := f.register("ada@example.org")
		r := f.reconciler()
		f.batch(r)
		f.cloud.RemoveUser("ada@example.org")
		if _, err := f.db.RecheckNextcloud(t.Context(), f.time()); err != nil {
			t.Fatal(err)
		}
		f.batch(r)
		f.batch(r)
		if fetched, opens := f.apps(a); fetched != 2 || !opens {
			t.Errorf("fetched %d app passwords, stored one works = %v", fetched, opens)
		}
	})
}
