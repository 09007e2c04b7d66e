package reconcile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	loopBatch      = 1000            // accounts after which the loop looks at the backlog again
	loopInterval   = 5 * time.Second // between two rounds of the loop, unless woken
	minAttemptTime = 5 * time.Second // a slow attempt; with less time left, none is begun
)

// A Reconciler makes accounts in Nextcloud agree with their desired state. It is
// safe for concurrent use, and any number of reconcilers can share a database.
type Reconciler struct {
	// Progress, unless nil, is called by Compare after each page with the number of
	// accounts read from Nextcloud and compared so far. Set it before use.
	Progress func(read, compared int)

	db        *store.DB
	nextcloud *client
	box       *seal.Box
	key       string // identifies the server and the credentials in the circuit breaker
	admin     string // the administrator's id
	workers   int    // accounts that are attempted at a time
	policy    desired.Policy
	now       func() time.Time
	wake      chan struct{}
	pauses    []time.Duration    // see [pagePauses]
	trace     func(point string) // called after each call and commit, for tests
}

// New returns a reconciler for the accounts in db and the Nextcloud of the
// settings, or nil if they name none. The ring opens what the recorder has sealed.
func New(db *store.DB, s Settings, ring *keyring.Ring, now func() time.Time) *Reconciler {
	if s.URL == nil {
		return nil
	}
	return &Reconciler{
		db: db, nextcloud: newClient(s), box: desired.NewBox(ring), key: breakerKey(s, ring),
		admin: s.Admin, workers: max(1, s.Workers), policy: s.Policy, now: now,
		wake: make(chan struct{}, 1), pauses: pagePauses(), trace: func(string) {},
	}
}

// breakerKey returns what identifies the server and the administrator's credentials
// in the database, where nobody can guess the credentials from it.
func breakerKey(s Settings, ring *keyring.Ring) string {
	key := ring.Derive("nextcloud administrator v1").Current()
	mac := hmac.New(sha256.New, key.Bytes[:])
	for _, part := range []string{s.URL.String(), s.Admin, s.Password.Reveal()} {
		mac.Write([]byte(part + "\x00"))
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// A Result is what a batch did.
type Result struct {
	Attempted int `json:"claimed"`   // accounts that were due and attempted
	Succeeded int `json:"succeeded"` // of them, those that now agree with their desired state
	Failed    int `json:"failed"`
	Remaining int `json:"remaining"` // accounts that do not agree yet: they are due now or later

	// WaitsFor is what prevents all remaining attempts; nil for nothing.
	WaitsFor *store.BlockReason `json:"waits_for"`
	// NextAttemptAt is when the next attempt can begin; nil for now.
	NextAttemptAt *time.Time `json:"next_try_at"`
}

// RunBatch attempts up to n due accounts, [Settings.Workers] at a time. The failure
// of one account does not stop the batch. A failure of Nextcloud as a whole does, in
// every process: an outage, a request to wait, or rejected credentials of the
// administrator. So does the deadline of ctx, while there is still time to store the outcome.
// The error is of the database or of ctx; accounts that were leased and not
// attempted are released.
func (r *Reconciler) RunBatch(ctx context.Context, n int) (Result, error) {
	return r.runBatch(ctx, n, func(Result) {})
}

// runBatch is [Reconciler.RunBatch] that also calls report now and then, with what the batch
// did so far.
func (r *Reconciler) runBatch(ctx context.Context, n int, report func(Result)) (res Result, err error) {
	left, err := r.Backlog(ctx)
	if err == nil && left.Due > 0 && !nearDeadline(ctx) {
		var admitted bool
		if admitted, err = r.admit(ctx); err == nil && admitted {
			res, err = r.newBatch(n, report).run(ctx)
		}
		if err == nil {
			left, err = r.Backlog(ctx)
		}
	}
	res.Remaining, res.NextAttemptAt = left.Remaining, left.NextAttempt
	if left.Reason != "" {
		res.WaitsFor = &left.Reason
	}
	return res, err
}

// nearDeadline reports whether the deadline of ctx leaves no time for another
// attempt. Like all deadlines, it is on the machine's clock.
func nearDeadline(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < minAttemptTime
}

// reconcileOne attempts one account and stores the outcome. While the circuit
// breaker is open, it does not.
func (r *Reconciler) reconcileOne(
	ctx context.Context, lease string, n desired.Account,
) (attempted, succeeded bool, err error) {
	b, err := r.db.NextcloudBreaker(ctx, r.key, r.now())
	if err != nil || !b.Closed {
		return false, false, err
	}
	a := r.newAttempt(n, lease, b)
	failure := a.run(ctx)
	if ctx.Err() != nil {
		return false, false, ctx.Err()
	}
	return a.finish(ctx, failure)
}

// Loop runs batches until ctx ends, every few seconds and whenever woken. When
// there is nothing to do, it compares all accounts once a day. A nil reconciler
// waits for the end of ctx.
func (r *Reconciler) Loop(ctx context.Context) {
	if r == nil {
		<-ctx.Done()
		return
	}
	background.Loop{
		Failed: "reconcile", Interval: loopInterval, Jitter: loopInterval / 2, Wake: r.wake,
	}.Run(ctx, r.round)
}

// round runs batches until fewer accounts than a batch are due, and sweeps if none
// are.
func (r *Reconciler) round(ctx context.Context) error {
	for {
		res, err := r.RunBatch(ctx, loopBatch)
		if err != nil {
			return err
		}
		if res.Attempted == 0 {
			return r.SweepDaily(ctx)
		}
		if res.Attempted < loopBatch {
			return nil
		}
	}
}

// Wake makes the loop run now. It does not block.
func (r *Reconciler) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it is about to run
	}
}
