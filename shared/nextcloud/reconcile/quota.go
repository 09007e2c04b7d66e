package reconcile

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
	"github.com/voiceassist/gateway/shared/store"
)

// SetQuota wishes a quota of a's own, as [desired.ParseQuota] returned it, in the
// transaction of the event that tells of it. It returns [ErrNoNextcloud] where
// there is none.
func (w *Wisher) SetQuota(
	ctx context.Context, tx *store.Tx, by store.Confirmed, a account.Account, own string, event audit.Event,
) error {
	if w.URL == nil {
		return ErrNoNextcloud
	}
	if err := w.Changed(ctx, tx, a, event.At); err != nil { // makes it due
		return err
	}
	if err := tx.SetNextcloudQuota(ctx, by, a.ID, own); err != nil {
		return err
	}
	event.Detail = cmp.Or(own, desired.DefaultQuota)
	return tx.Audit(ctx, event)
}

// compareQuota reports whether the account's quota differs from what is wished,
// and whether it is left like that: somebody changed in Nextcloud what the
// gateway had set, and [Settings.KeepQuotas] says so.
func (r *Reconciler) compareQuota(n desired.Account, u ocs.User) (differs, kept bool) {
	wanted, err := quota.Parse(n.WantedQuota())
	if err != nil || wanted.Near(u.Quota) {
		return false, false
	}
	ours, err := quota.Parse(n.SetQuota)
	return true, r.keepQuotas && err == nil && !ours.Near(u.Quota)
}

// adjustQuota sets the quota that is wished, and tells u and the outcome.
func (t *try) adjustQuota(ctx context.Context, u *ocs.User) error {
	wanted := t.account.WantedQuota()
	differs, kept := t.compareQuota(t.account, *u)
	if kept {
		return nil
	}
	if differs {
		err := t.edit(ctx, ocs.KeyQuota, wanted)
		if errors.Is(err, ocs.ErrInvalid) { // as with try.set
			t.outcome.LastError = Refused
			return nil
		}
		if err != nil {
			return err
		}
		u.Quota, _ = quota.Parse(wanted) // it parses, or it would not differ
	}
	t.outcome.SetQuota = wanted
	return nil
}

// numbersOf returns how much the account holds and may hold; the latter is nil
// without a limit. Both are nil where Nextcloud does not tell.
func numbersOf(u ocs.User) (used, total *int64) {
	if u.Quota == quota.Unknown {
		return nil, nil
	}
	if u.Quota >= 0 {
		n := int64(u.Quota)
		total = &n
	}
	return &u.Used, total
}

// A Quota is the quota of one account as administrators see it.
type Quota struct {
	Setting string     `json:"setting"` // its own, or "default" or "keep", as [desired.ParseQuota] reads it
	Wanted  *string    `json:"wanted"`  // null: as it is in Nextcloud
	Found   *string    `json:"found"`   // in Nextcloud; null until it was seen
	Used    *int64     `json:"used"`    // bytes
	AsOf    *time.Time `json:"as_of"`   // when Found and Used were read
	Differs bool       `json:"differs"` // Found is not Wanted
}

// QuotaOf returns the quota of n.
func QuotaOf(n desired.Account) Quota {
	q := Quota{Setting: cmp.Or(n.OwnQuota, desired.DefaultQuota)}
	wanted, found := n.WantedQuota(), quota.Unlimited
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
