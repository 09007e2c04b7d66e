package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/store"
)

// trialTime is how long a caller has to find out whether Nextcloud answers and
// accepts the administrator: more than one call takes. Should the process
// vanish, another one tries after it.
const trialTime = 30 * time.Second

// enter reports whether Nextcloud may be called. Where nobody knows, one caller
// of all processes finds out: each wrong password makes Nextcloud slow down
// everybody's logins, and a Nextcloud that comes back is not met by a crowd.
func (r *Reconciler) enter(ctx context.Context) (open bool, err error) {
	now := r.now()
	g, err := r.db.NextcloudBreaker(ctx, r.key, now)
	if err != nil || g.Closed || g.OpenUntil != nil {
		return g.Closed, err
	}
	until := now.Add(trialTime)
	mine, err := r.db.BeginNextcloudTrial(ctx, r.key, now, until)
	if err != nil || !mine {
		return false, err
	}
	return r.trial(ctx, until)
}

// trial makes one call that changes nothing and that only an administrator may
// make. It is of no account, so that none has to wait for another's answer, and
// it has ended when trial returns, whatever happens.
func (r *Reconciler) trial(ctx context.Context, until time.Time) (open bool, err error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), room)
		defer cancel()
		err = errors.Join(err, r.db.EndNextcloudTrial(ctx, r.key, until))
	}()
	if open, err = r.ask(ctx); err != nil || !open {
		return false, err
	}
	return true, r.db.RecordNextcloudSuccess(ctx, r.key, r.now())
}

// ask makes that call, and closes the gate where it fails. The error is of the
// database or of ctx.
func (r *Reconciler) ask(ctx context.Context) (answered bool, err error) {
	_, failure := r.directory.Users(ctx, "", 1, 0)
	r.reached("asked")
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case failure != nil:
		return false, r.shut(ctx, failure)
	}
	return true, nil
}

// isRefusal reports whether Nextcloud refuses the administrator.
func isRefusal(failure error) bool {
	return errors.Is(failure, ocs.ErrUnauthorized) || errors.Is(failure, ocs.ErrForbidden)
}

// isOutage reports whether Nextcloud is down, or something else answers: a
// proxy's error page to a call that only reads, or no Nextcloud at all.
func isOutage(failure error) bool {
	return errors.Is(failure, ocs.ErrUnavailable) ||
		errors.Is(failure, ocs.ErrBadAnswer) && !errors.Is(failure, ocs.ErrUncertain)
}

// shut closes the gate for a failure of a call that is about no account.
func (r *Reconciler) shut(ctx context.Context, failure error) error {
	slog.LogAttrs(ctx, slog.LevelWarn, "Nextcloud is left alone for a while", slog.String("cause", failure.Error()))
	if isRefusal(failure) {
		return r.refused(ctx, r.now())
	}
	return r.outage(ctx, failure, r.now())
}

// refused closes the gate for the administrator's credentials.
func (r *Reconciler) refused(ctx context.Context, now time.Time) error {
	return r.db.RecordNextcloudRefusal(ctx, r.key, now, now.Add(coolDown))
}

// outage closes the gate for as long as Nextcloud asks, or longer with each
// failure in a row.
func (r *Reconciler) outage(ctx context.Context, failure error, now time.Time) error {
	g, err := r.db.NextcloudBreaker(ctx, r.key, now)
	if err != nil {
		return err
	}
	wait := max(ocs.RetryAfter(failure), pause(g.Outages+1))
	return r.db.RecordNextcloudOutage(ctx, r.key, now, now.Add(wait))
}

// A Hold is what keeps the gateway from calling Nextcloud.
type Block struct {
	Reason store.BlockReason // "" for nothing
	Until  time.Time         // when it is over, or looked at again
}

// Holds returns what keeps the gateway from calling Nextcloud now.
func (r *Reconciler) Blocked(ctx context.Context) (Block, error) {
	g, err := r.db.NextcloudBreaker(ctx, r.key, r.now())
	if err != nil || g.OpenUntil == nil {
		return Block{}, err
	}
	return Block{g.Reason, *g.OpenUntil}, nil
}

// An Outlook is what is left to be done, and when.
type Backlog struct {
	store.Backlog
	Block // of all that is left; without it, accounts wait for their own next try

	NextAttempt *time.Time    // when something may be done; nil for now, or for nothing left
	Wait        time.Duration // until then
}

// Outlook returns what is left to be done.
func (r *Reconciler) Backlog(ctx context.Context) (o Backlog, err error) {
	now := r.now()
	if o.Backlog, err = r.db.NextcloudBacklog(ctx, now); err != nil || o.Remaining == 0 {
		return o, err
	}
	if o.Block, err = r.Blocked(ctx); err != nil {
		return o, err
	}
	if o.NextDue != nil && o.NextDue.After(now) {
		o.NextAttempt = o.NextDue
	}
	if o.Reason != "" && (o.NextAttempt == nil || o.Until.After(*o.NextAttempt)) {
		o.NextAttempt = &o.Until
	} else {
		o.Block = Block{}
	}
	if o.NextAttempt != nil {
		o.Wait = o.NextAttempt.Sub(now)
	}
	return o, nil
}
