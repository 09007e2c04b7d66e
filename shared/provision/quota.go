package provision

import (
	"context"
	"errors"

	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/wish"
)

// compareQuota reports whether the account's quota differs from what is wished,
// and whether it is left like that: somebody changed in Nextcloud what the
// gateway had set, and [Settings.KeepQuotas] says so.
func (r *Reconciler) compareQuota(n wish.Account, u nextcloud.User) (differs, kept bool) {
	wanted, err := nextcloud.ParseQuota(n.WantedQuota())
	if err != nil || wanted.Near(u.Quota) {
		return false, false
	}
	ours, err := nextcloud.ParseQuota(n.SetQuota)
	return true, r.keepQuotas && err == nil && !ours.Near(u.Quota)
}

// adjustQuota sets the quota that is wished, and tells u and the outcome.
func (t *try) adjustQuota(ctx context.Context, u *nextcloud.User) error {
	wanted := t.account.WantedQuota()
	differs, kept := t.compareQuota(t.account, *u)
	if kept {
		return nil
	}
	if differs {
		err := t.edit(ctx, nextcloud.KeyQuota, wanted)
		if errors.Is(err, nextcloud.ErrInvalid) { // as with try.set
			t.outcome.LastError = Refused
			return nil
		}
		if err != nil {
			return err
		}
		u.Quota, _ = nextcloud.ParseQuota(wanted) // it parses, or it would not differ
	}
	t.outcome.SetQuota = wanted
	return nil
}

// bytesOf returns a quota in bytes; nil without a limit, or where Nextcloud does
// not tell it.
func bytesOf(q nextcloud.Quota) *int64 {
	if q < 0 {
		return nil
	}
	n := int64(q)
	return &n
}
