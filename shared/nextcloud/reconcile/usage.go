package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

const (
	usageFresh = time.Minute     // how long what Nextcloud said is good for
	usageTime  = 2 * time.Second // that a person waits for it at most
)

// Usage returns n with how much the account holds. It asks Nextcloud at most
// once a minute for each account, however many processes there are; in between,
// while Nextcloud may not be called, and where it does not answer at once, what
// was last seen has to do.
// The error is of the database.
func (r *Reconciler) Usage(ctx context.Context, n desired.Account) (desired.Account, error) {
	now := r.now().UTC().Truncate(time.Microsecond) // as the row keeps it
	if !n.Owned {
		return n, nil
	}
	mine, err := r.db.ClaimUsageQuery(ctx, n.UserID, r.key, now.Add(-usageFresh), now)
	if err != nil || !mine {
		return n, err
	}
	asking, cancel := context.WithTimeout(ctx, usageTime)
	defer cancel()
	u, err := r.directory.User(asking, n.NextcloudID)
	if errors.Is(err, ocs.ErrUnauthorized) {
		return n, r.refused(ctx, now)
	}
	if err != nil {
		return n, nil
	}
	used, total := numbersOf(u)
	if used == nil {
		return n, nil
	}
	n.Used, n.Total, n.UsedAt = used, total, &now
	return n, r.db.SetUsage(ctx, n.UserID, *used, total, now)
}
