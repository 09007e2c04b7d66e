package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/store"
)

const (
	drainBatch = 1000            // accounts after which the backlog is counted again
	drainPause = 2 * time.Second // the longest pause between two looks: other processes work on the backlog, too
)

// ErrRefused is the error of [Reconciler.Drain] while Nextcloud rejects the
// administrator's credentials.
var ErrRefused = errors.New("the administrator is rejected by Nextcloud")

// Progress is how far a call of [Reconciler.Drain] is.
type Progress struct {
	Done    int     // accounts that this call brought in sync
	Failed  int     // accounts that were given up since the call began, by any process
	Backlog Backlog // what is left
}

// after returns the progress after a part of a batch.
func (p Progress) after(done Result) Progress {
	p.Done += done.Succeeded
	p.Backlog.Remaining -= done.Succeeded
	return p
}

// Drain works on the backlog, beside other processes, until nothing is left. It also
// returns when what is left is not due within maxWait, when the administrator is
// rejected (with [ErrRefused]), and when ctx ends (without an error). It calls report
// every few accounts, before each pause, and before it returns.
func (r *Reconciler) Drain(ctx context.Context, maxWait time.Duration, report func(Progress)) (p Progress, err error) {
	before := -1 // accounts that were given up
	for {
		b, err := r.Backlog(context.WithoutCancel(ctx)) // also when interrupted
		if err != nil {
			return p, err
		}
		if before < 0 {
			before = b.GivenUp
		}
		p.Backlog, p.Failed = b, max(0, b.GivenUp-before)
		report(p)
		if ctx.Err() != nil || b.Remaining == 0 {
			return p, nil //nolint:nilerr // an interruption is no failure
		}
		if b.Reason == store.BlockedByRefusal {
			return p, ErrRefused
		}
		wait := b.Wait
		if wait == 0 {
			res, err := r.runBatch(ctx, drainBatch, func(done Result) { report(p.after(done)) })
			if err != nil && ctx.Err() == nil {
				return p, err
			}
			p.Done += res.Succeeded
			if res.Attempted > 0 || res.NextAttemptAt != nil {
				continue
			}
			wait = drainPause // another process has leased the accounts
		}
		if wait > maxWait {
			return p, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(wait, drainPause)):
		}
	}
}
