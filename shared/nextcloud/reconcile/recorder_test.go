package reconcile_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestRecorder_KeepsThePasswordOnlyIfItWillBeUsed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  map[string]string
		kept bool
	}{
		"password sync":    {nil, true},
		"no password sync": {map[string]string{"NEXTCLOUD_PASSWORD_SYNC": "false"}, false},
		"no Nextcloud":     {map[string]string{"NEXTCLOUD_URL": ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, storetest.SQLite(t), test.env)
			a := f.register("ada@example.org")
			n := f.known(a)
			if (n.PendingPassword != nil) != test.kept || n.Status != desired.Pending || n.DueAt == nil {
				t.Errorf("got row %+v", n)
			}
			if bytes.Contains(n.PendingPassword, []byte(adasPassword)) {
				t.Error("the password is not sealed")
			}
			f.update(func(ctx context.Context, tx *store.Tx) error {
				return f.recorder.Changed(ctx, tx, a, f.time())
			})
			if later := f.known(a); (later.PendingPassword != nil) != test.kept || !bytes.Equal(later.InitialPassword, n.InitialPassword) || later.Version != 2 {
				t.Errorf("after a change without a password: got row %+v", later)
			}
		})
	}
}

func TestRecorder_NeverReusesAnID(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, nil) // NEXTCLOUD_ON_DELETE is disable: the old account stays
		first := f.register("ada@example.org")
		f.update(func(ctx context.Context, tx *store.Tx) error {
			if err := f.recorder.Deleted(ctx, tx, first, f.time()); err != nil {
				return err
			}
			return tx.DeleteAccount(ctx, tx.Operator(), first.ID)
		})
		second := f.register("ada@example.org")
		if n := f.known(second); n.NextcloudID != string(second.ID) {
			t.Errorf("the second account has the ID %s of the first, which still has files", n.NextcloudID)
		}
		if n := f.known(first); n.State != desired.Disabled || n.NextcloudID != "ada@example.org" {
			t.Errorf("got first row %+v", n)
		}
	})
}

func TestRecorder_KeepsDeletedUsersAccountsUnderThatPolicy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), map[string]string{"NEXTCLOUD_ON_DELETE": "keep"})
	a := f.register("ada@example.org")
	f.batch(f.reconciler())
	f.update(func(ctx context.Context, tx *store.Tx) error { return f.recorder.Deleted(ctx, tx, a, f.time()) })
	f.batch(f.reconciler())
	f.settled(a, adasPassword)
}

func TestRead_RejectsInvalidSettings(t *testing.T) {
	t.Parallel()
	const url = "https://cloud.example.org"
	for _, test := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"a URL without a scheme", map[string]string{"NEXTCLOUD_URL": "cloud.example.org"}, `NEXTCLOUD_URL is "cloud.example.org"; it must be`},
		{"a quota that Nextcloud would misread", map[string]string{"NEXTCLOUD_DEFAULT_QUOTA": "5 GiB"}, `NEXTCLOUD_DEFAULT_QUOTA is "5 GiB"; it must be`},
		{"an unknown treatment of quotas", map[string]string{"NEXTCLOUD_QUOTA_DRIFT": "undo"}, `NEXTCLOUD_QUOTA_DRIFT is "undo"; it must be one of keep, reset`},
		{"an unknown rule for IDs", map[string]string{"NEXTCLOUD_USER_ID": "name"}, `NEXTCLOUD_USER_ID is "name"; it must be`},
		{"an unknown policy", map[string]string{"NEXTCLOUD_ON_DELETE": "burn"}, `NEXTCLOUD_ON_DELETE is "burn"; it must be`},
		{"a missing file", map[string]string{"NEXTCLOUD_CA_FILE": "/nowhere"}, `NEXTCLOUD_CA_FILE is "/nowhere"; it must be`},
		{"a file without a certificate", map[string]string{"NEXTCLOUD_CA_FILE": "/dev/null"}, `NEXTCLOUD_CA_FILE is "/dev/null"; it must be a file with certificates in PEM (no PEM block)`},
		{"no administrator", map[string]string{"NEXTCLOUD_URL": url, "NEXTCLOUD_ADMIN_PASSWORD": "x"}, "NEXTCLOUD_ADMIN_USER is"},
		{"no password", map[string]string{"NEXTCLOUD_URL": url, "NEXTCLOUD_ADMIN_USER": "admin"}, "NEXTCLOUD_ADMIN_PASSWORD is not set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env := config.Map(test.env)
			setting.Of[reconcile.Settings](env)
			if err := env.Err(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
