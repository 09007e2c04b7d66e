package access_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestSetQuota(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		a := f.provision("ada@example.org")
		set := func(r *desired.Recorder, override string) error {
			return db.Update(t.Context(), func(tx *store.Tx) error {
				return access.SetQuota(t.Context(), r, tx, tx.Operator(), a, override, f.event(audit.QuotaChanged, a))
			})
		}
		if err := set(desired.NewRecorder(desired.Policy{}, f.ring), "7 GB"); !errors.Is(err, nextcloud.ErrNotConfigured) || f.audited(audit.QuotaChanged, a) {
			t.Errorf("without a Nextcloud: %v", err)
		}
		if err := set(f.recorder, "7 GB"); err != nil || !f.due(a) || !f.audited(audit.QuotaChanged, a) {
			t.Errorf("got %v; the account is due: %t", err, f.due(a))
		}
		f.reconcile()
		if u, _ := f.cloud.User("ada@example.org"); u.Quota != "7 GB" {
			t.Errorf("the quota in Nextcloud is %s", u.Quota)
		}
	})
}

func TestQuotaOf(t *testing.T) {
	t.Parallel()
	asOf := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	used, five := int64(1<<20), int64(5<<30)
	text := func(s string) *string { return &s }
	for _, tt := range []struct {
		name string
		n    desired.Account
		want access.Quota
	}{
		{"never read", desired.Account{Spec: desired.Spec{Quota: "5 GB"}}, access.Quota{Setting: "default", Wanted: text("5 GB")}},
		{"as wanted", desired.Account{Spec: desired.Spec{Quota: "5 GB"}, Used: &used, Total: &five, UsedAt: &asOf},
			access.Quota{Setting: "default", Wanted: text("5 GB"), Found: text("5 GB"), Used: &used, AsOf: &asOf}},
		{"overridden, not yet set", desired.Account{Spec: desired.Spec{Quota: "5 GB", QuotaOverride: "7 GB"}, Used: &used, Total: &five, UsedAt: &asOf},
			access.Quota{Setting: "7 GB", Wanted: text("7 GB"), Found: text("5 GB"), Used: &used, AsOf: &asOf, Differs: true}},
		{"whatever it is", desired.Account{Spec: desired.Spec{Quota: "5 GB", QuotaOverride: desired.KeepQuota}, Used: &used, Total: &five, UsedAt: &asOf},
			access.Quota{Setting: "keep", Found: text("5 GB"), Used: &used, AsOf: &asOf}},
		{"unlimited in Nextcloud", desired.Account{Spec: desired.Spec{Quota: "5 GB"}, Used: &used, UsedAt: &asOf},
			access.Quota{Setting: "default", Wanted: text("5 GB"), Found: text("none"), Used: &used, AsOf: &asOf, Differs: true}},
	} {
		if diff := cmp.Diff(tt.want, access.QuotaOf(tt.n)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
