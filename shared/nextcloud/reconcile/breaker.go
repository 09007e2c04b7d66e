package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/store"
)

// The circuit breaker in front of Nextcloud is in the database, and all processes
// with the same settings share it. While it is closed, everybody may call. An
// outage or rejected credentials open it. After a while, or for settings that are
// new, it is half open: one process makes a trial call, and the others wait for
// the result.

// trialTime is the time limit of a trial call. If the process that makes it
// vanishes, another one takes over after that time.
const trialTime = 30 * time.Second

// admit reports whether Nextcloud may be called, after a trial call if the caller
// has to make it. Only one process does: each wrong password makes Nextcloud slow
// down everybody's logins, and a server that has just recovered needs no rush.
func (r *Reconciler) admit(ctx context.Context) (bool, error) {
	now := r.now()
	b, err := r.db.NextcloudBreaker(ctx, r.key, now)
	if err != nil || b.Closed || b.OpenUntil != nil {
		return b.Closed, err
	}
	until := now.Add(trialTime)
	mine, err := r.db.BeginNextcloudTrial(ctx, r.key, now, until)
	if err != nil || !mine {
		return false, err
	}
	return r.trial(ctx, until)
}

// trial makes the trial call and reports whether it succeeded. It concerns no
// account, so that no account waits for the response to another one. The trial has
// ended when the method returns, whatever happens.
func (r *Reconciler) trial(ctx context.Context, until time.Time) (ok bool, err error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), minAttemptTime)
		defer cancel()
		err = errors.Join(err, r.db.EndNextcloudTrial(ctx, r.key, until))
	}()
	if ok, err = r.probe(ctx); err != nil || !ok {
		return false, err
	}
	return true, r.db.RecordNextcloudSuccess(ctx, r.key, r.now())
}

// probe makes a call that changes nothing and requires an administrator, and opens
// the circuit breaker if it fails. The error is of the database or of ctx.
func (r *Reconciler) probe(ctx context.Context) (ok bool, err error) {
	_, failure := r.nextcloud.Users(ctx, "", 1, 0)
	r.trace("asked")
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case failure != nil:
		return false, r.trip(ctx, failure)
	}
	return true, nil
}

// isRefusal reports whether Nextcloud rejects the administrator's credentials.
func isRefusal(failure error) bool {
	return errors.Is(failure, ocs.ErrUnauthorized) || errors.Is(failure, ocs.ErrForbidden)
}

// isOutage reports whether Nextcloud is down, or something else answers: a proxy's
// error page to a call that only reads, or another server.
func isOutage(failure error) bool {
	return errors.Is(failure, ocs.ErrUnavailable) ||
		errors.Is(failure, ocs.ErrBadAnswer) && !errors.Is(failure, ocs.ErrUncertain)
}

// trip opens the circuit breaker after a failed call that concerns no account.
func (r *Reconciler) trip(ctx context.Context, failure error) error {
	slog.LogAttrs(ctx, slog.LevelWarn, "Nextcloud is left alone for a while", slog.String("cause", failure.Error()))
	if isRefusal(failure) {
		return r.recordRefusal(ctx, r.now())
	}
	return r.recordOutage(ctx, failure, r.now())
}

func (r *Reconciler) recordRefusal(ctx context.Context, now time.Time) error {
	return r.db.RecordNextcloudRefusal(ctx, r.key, now, now.Add(coolDown))
}

// recordOutage opens the circuit breaker for as long as Nextcloud asks, or for a
// time that grows with each outage in a row.
func (r *Reconciler) recordOutage(ctx context.Context, failure error, now time.Time) error {
	b, err := r.db.NextcloudBreaker(ctx, r.key, now)
	if err != nil {
		return err
	}
	wait := max(ocs.RetryAfter(failure), pause(b.Outages+1))
	return r.db.RecordNextcloudOutage(ctx, r.key, now, now.Add(wait))
}

// A Block is the reason why the gateway may not call Nextcloud. The zero value is
// none.
type Block struct {
	Reason store.BlockReason
	Until  time.Time // when the next trial call is due
}

// Blocked returns why the gateway may not call Nextcloud now.
func (r *Reconciler) Blocked(ctx context.Context) (Block, error) {
	b, err := r.db.NextcloudBreaker(ctx, r.key, r.now())
	if err != nil || b.OpenUntil == nil {
		return Block{}, err
	}
	return Block{b.Reason, *b.OpenUntil}, nil
}

// A Backlog is the work that remains, and when it can continue.
type Backlog struct {
	store.Backlog
	Block // zero if the accounts wait for their own next attempt

	NextAttempt *time.Time    // nil for now, or if nothing remains
	Wait        time.Duration // until then
}

// Backlog returns the work that remains.
func (r *Reconciler) Backlog(ctx context.Context) (b Backlog, err error) {
	now := r.now()
	if b.Backlog, err = r.db.NextcloudBacklog(ctx, now); err != nil || b.Remaining == 0 {
		return b, err
	}
	if b.Block, err = r.Blocked(ctx); err != nil {
		return b, err
	}
	if b.NextDue != nil && b.NextDue.After(now) {
		b.NextAttempt = b.NextDue
	}
	if b.Reason != "" && (b.NextAttempt == nil || b.Until.After(*b.NextAttempt)) {
		b.NextAttempt = &b.Until
	} else {
		b.Block = Block{}
	}
	if b.NextAttempt != nil {
		b.Wait = b.NextAttempt.Sub(now)
	}
	return b, nil
}
