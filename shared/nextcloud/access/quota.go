package access

import (
	"cmp"
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
	"github.com/voiceassist/gateway/shared/store"
)

// SetQuota overrides the quota of a's account, with a value that
// [desired.ParseQuota] returned, and records the event. It returns
// [nextcloud.ErrNotConfigured] if there is no Nextcloud.
func SetQuota(
	ctx context.Context, r *desired.Recorder, tx *store.Tx, by store.Actor, a account.Account, override string,
	event audit.Event,
) error {
	if !r.Enabled {
		return nextcloud.ErrNotConfigured
	}
	if err := r.Changed(ctx, tx, a, event.At); err != nil { // makes it due
		return err
	}
	if err := tx.SetNextcloudQuota(ctx, by, a.ID, override); err != nil {
		return err
	}
	event.Detail = cmp.Or(override, desired.DefaultQuota)
	return tx.Audit(ctx, event)
}

// A Quota is the quota of one account, as administrators see it.
type Quota struct {
	Setting string     `json:"setting"` // the override, "default" or "keep", as [desired.ParseQuota] reads it
	Wanted  *string    `json:"wanted"`  // null if any quota in Nextcloud is right
	Found   *string    `json:"found"`   // in Nextcloud; null until it has been read
	Used    *int64     `json:"used"`    // bytes
	AsOf    *time.Time `json:"as_of"`   // when Found and Used were read
	Differs bool       `json:"differs"` // Found differs from Wanted
}

// QuotaOf returns the quota of n, with the figures that were last read.
func QuotaOf(n desired.Account) Quota {
	q := Quota{Setting: cmp.Or(n.QuotaOverride, desired.DefaultQuota)}
	wanted, found := n.EffectiveQuota(), quota.Unlimited
	if wanted != "" {
		q.Wanted = &wanted
	}
	if n.Used == nil || n.UsedAt == nil {
		return q
	}
	if n.Total != nil {
		found = quota.Quota(*n.Total)
	}
	text := found.String()
	q.Found, q.Used, q.AsOf = &text, n.Used, n.UsedAt
	parsed, err := quota.Parse(wanted)
	q.Differs = err == nil && !parsed.Near(found)
	return q
}
