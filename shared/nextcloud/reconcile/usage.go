package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

const (
	usageFresh = time.Minute     // how long the figures of an account are current
	usageTime  = 2 * time.Second // the longest that a request waits for new ones
)

// Usage returns n with its current storage usage. All processes together ask
// Nextcloud at most once a minute for each account. In between, and while
// Nextcloud does not answer in time, n keeps the figures that were last seen. The
// error is of the database.
func (r *Reconciler) Usage(ctx context.Context, n desired.Account) (desired.Account, error) {
	now := r.now().UTC().Truncate(time.Microsecond) // the precision of the store
	if !n.Owned {
		return n, nil
	}
	mine, err := r.db.ClaimUsageQuery(ctx, n.UserID, r.key, now.Add(-usageFresh), now)
	if err != nil || !mine {
		return n, err
	}
	asking, cancel := context.WithTimeout(ctx, usageTime)
	defer cancel()
	u, err := r.nextcloud.User(asking, n.NextcloudID)
	if errors.Is(err, ocs.ErrUnauthorized) {
		return n, r.recordRefusal(ctx, now)
	}
	if err != nil {
		return n, nil
	}
	used, total := usageOf(u)
	if used == nil {
		return n, nil
	}
	n.Used, n.Total, n.UsedAt = used, total, &now
	return n, r.db.SetUsage(ctx, n.UserID, *used, total, now)
}

// usageOf returns the bytes that the account uses and its limit, which is nil for
// none. Both are nil if Nextcloud does not report them.
func usageOf(u ocs.User) (used, total *int64) {
	if u.Quota == quota.Unknown {
		return nil, nil
	}
	if u.Quota >= 0 {
		n := int64(u.Quota)
		total = &n
	}
	return &u.Used, total
}
