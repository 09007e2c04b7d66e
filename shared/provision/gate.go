package provision

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

// trialTime is how long one account may take to show whether Nextcloud accepts
// the administrator. Should whoever tries it vanish, somebody else does.
const trialTime = 2 * time.Minute

// enter reports whether Nextcloud may be called, by all, or by the caller alone
// to try whether it answers and accepts the administrator: a wrong password is
// tried once by one of all processes, since each try makes Nextcloud slow down
// everybody's logins, and a Nextcloud that comes back is not met by a crowd.
func (r *Reconciler) enter(ctx context.Context) (open, trial bool, err error) {
	now := r.now()
	g, err := r.db.NextcloudGate(ctx, r.key, now)
	if err != nil || g.Proved || g.Closed != nil {
		return g.Proved, false, err
	}
	trial, err = r.db.TryNextcloud(ctx, r.key, now, now.Add(trialTime))
	return trial, trial, err
}

// proved opens the gate: Nextcloud answered, and accepts the administrator.
func (r *Reconciler) proved(ctx context.Context) error { return r.db.ProveNextcloud(ctx, r.key) }

// refused closes it for the administrator's credentials.
func (r *Reconciler) refused(ctx context.Context, now time.Time) error {
	return r.db.RefuseNextcloud(ctx, r.key, now.Add(coolDown))
}

// outage closes it for as long as Nextcloud asks, or longer with each failure
// in a row, and returns how long.
func (r *Reconciler) outage(ctx context.Context, failure error, now time.Time) (time.Duration, error) {
	g, err := r.db.NextcloudGate(ctx, r.key, now)
	if err != nil {
		return firstPause, err
	}
	wait := max(nextcloud.RetryAfter(failure), pause(g.Outages+1))
	return wait, r.db.CloseNextcloud(ctx, now.Add(wait))
}
