package reconcile

import (
	"context"
	"errors"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// compareQuota reports whether the account's quota differs from what is wished,
// and whether it is left like that: somebody changed in Nextcloud what the
// gateway had set, and [Settings.KeepQuotas] says so.
func (r *Reconciler) compareQuota(n desired.Account, u ocs.User) (differs, kept bool) {
	wanted, err := quota.Parse(n.EffectiveQuota())
	if err != nil || wanted.Near(u.Quota) {
		return false, false
	}
	ours, err := quota.Parse(n.LastSetQuota)
	return true, r.keepQuotas && err == nil && !ours.Near(u.Quota)
}

// adjustQuota sets the quota that is wished, and tells u and the outcome.
func (t *try) adjustQuota(ctx context.Context, u *ocs.User) error {
	wanted := t.account.EffectiveQuota()
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
	t.outcome.LastSetQuota = wanted
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
