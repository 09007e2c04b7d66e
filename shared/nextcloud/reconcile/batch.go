package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

const (
	leaseTime = 5 * time.Minute // no account is begun in its second half
	leaseSize = 20              // accounts that are leased at a time; the others are left to other processes
)

// A batch is a number of due accounts that workers attempt. It leases some, and more
// when none is left to begin, so that no worker waits for a slow account of another.
type batch struct {
	*Reconciler

	report func(Result)

	mu       sync.Mutex
	left     int      // accounts that may be leased
	lease    lease    // the latest one
	accounts []leased // not begun
	release  []string // leases with accounts that were not attempted
	res      Result
	ended    bool  // Nextcloud may not be called now
	err      error // of the database
}

// A lease is accounts that no other process attempts until it expires. Each call
// that leases accounts has its own: an expired lease must not be mistaken for its
// successor.
type lease struct {
	name  string
	until time.Time // begin no attempt later
}

type leased struct {
	desired.Account

	lease string
}

// newBatch returns a batch of up to n accounts. It calls report before it leases more.
func (r *Reconciler) newBatch(n int, report func(Result)) *batch {
	return &batch{Reconciler: r, left: n, report: report}
}

// run attempts the accounts.
func (b *batch) run(ctx context.Context) (Result, error) {
	b.leaseMore(ctx)
	var others sync.WaitGroup
	for range min(b.workers, len(b.accounts)) - 1 {
		others.Go(func() { b.work(ctx) })
	}
	b.work(ctx)
	others.Wait()
	for _, n := range b.accounts {
		b.release = append(b.release, n.lease)
	}
	return b.res, errors.Join(b.err, ctx.Err(), b.releaseRest(ctx))
}

// work attempts one account after the other.
func (b *batch) work(ctx context.Context) {
	for {
		n, ok := b.next(ctx)
		if !ok {
			return
		}
		attempted, succeeded, err := b.reconcileOne(ctx, n.lease, n.Account)
		b.record(n, attempted, succeeded, err)
	}
}

// record counts the outcome of an attempt. One that could not be made ends the batch.
func (b *batch) record(n leased, attempted, succeeded bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, err)
	if !attempted {
		b.ended, b.release = true, append(b.release, n.lease)
		return
	}
	b.res.Attempted++
	if succeeded {
		b.res.Succeeded++
	} else {
		b.res.Failed++
	}
}

// next returns the next account, unless it is time to stop.
func (b *batch) next(ctx context.Context) (leased, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.err != nil || ctx.Err() != nil || nearDeadline(ctx) {
		return leased{}, false
	}
	if len(b.accounts) == 0 && b.left > 0 {
		b.report(b.res)
		b.leaseMore(ctx)
	}
	if len(b.accounts) == 0 || b.now().After(b.lease.until) {
		return leased{}, false
	}
	n := b.accounts[0]
	b.accounts = b.accounts[1:]
	return n, true
}

// leaseMore leases the next accounts. If fewer than asked for are due, they are the
// last of the batch.
func (b *batch) leaseMore(ctx context.Context) {
	n, start := min(b.left, max(leaseSize, b.workers)), b.now()
	b.lease = lease{uid.New(), start.Add(leaseTime / 2)}
	var accounts []desired.Account
	accounts, b.err = b.db.LeaseNextcloud(ctx, b.lease.name, start, start.Add(leaseTime), n)
	for _, a := range accounts {
		b.accounts = append(b.accounts, leased{a, b.lease.name})
	}
	b.left -= n
	if len(accounts) < n {
		b.left = 0
	}
}

// releaseRest ends the leases of accounts that were not attempted, even if ctx has
// ended.
func (b *batch) releaseRest(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), minAttemptTime)
	defer cancel()
	slices.Sort(b.release)
	for _, name := range slices.Compact(b.release) {
		err = errors.Join(err, b.db.ReleaseNextcloudLeases(ctx, name))
	}
	return err
}
