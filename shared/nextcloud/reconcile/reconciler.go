package reconcile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/store"
)

// A Directory is where the accounts are. Its errors are those of [nextcloud].
type Nextcloud interface {
	CreateUser(ctx context.Context, u ocs.NewUser) error
	User(ctx context.Context, id string) (ocs.User, error)
	Users(ctx context.Context, search string, limit, offset int) ([]string, error)
	UserDetails(ctx context.Context, limit, offset int) ([]ocs.User, error)
	SearchUsers(ctx context.Context, search string, limit, offset int) ([]ocs.User, error)
	Throttle(ctx context.Context) (ocs.Throttle, error)
	Authenticate(ctx context.Context, id string, password secret.String) (ocs.User, error)
	AppPassword(ctx context.Context, id string, password secret.String) (secret.String, error)
	RevokeAppPassword(ctx context.Context, id string, app secret.String) error
	Edit(ctx context.Context, id, key, value string) error
	Enable(ctx context.Context, id string) error
	Disable(ctx context.Context, id string) error
	DeleteUser(ctx context.Context, id string) error
	AddGroup(ctx context.Context, group string) error
	AddToGroup(ctx context.Context, id, group string) error
	// EditOwn is Edit by the account itself, which is counted for it alone.
	EditOwn(ctx context.Context, id string, password secret.String, key, value string) error
	// Touch reaches the account's files with its app password.
	Touch(ctx context.Context, id string, app secret.String) error
}

const (
	leaseTime = 5 * time.Minute // of a batch; after half of it nothing new is begun
	loopBatch = 20              // accounts that the loop leases at a time
	workers   = 4               // accounts at a time: Nextcloud spends most of each call on one hash
	interval  = 5 * time.Second // between two looks of the loop when nobody wakes it
	room      = 5 * time.Second // what one account takes on a slow day; with less left, none is begun
)

// A Reconciler makes wishes true. It is safe for concurrent use, and any number
// of them may work on one database.
type Reconciler struct {
	// Progress, unless nil, is called by Compare after each page with how many
	// accounts were read from Nextcloud and compared so far. Set it before use.
	Progress func(read, compared int)

	db         *store.DB
	directory  Nextcloud
	box        *seal.Box
	key        string // stands for the administrator's credentials, see gate.go
	admin      string // the administrator's id
	group      string // that every account is in; "" for none
	byEmail    bool   // as [Settings.ByEmail]
	keepQuotas bool   // as [Settings.KeepQuotas]
	now        func() time.Time
	wake       chan struct{}
	reached    func(point string) // for tests: called after each call and commit
}

// New returns a reconciler of the wishes in db, for the Nextcloud of the
// settings. The ring opens what the recorder sealed.
func New(db *store.DB, s Settings, ring *keyring.Ring, now func() time.Time) *Reconciler {
	return &Reconciler{
		db: db, directory: connect(s), box: desired.NewBox(ring), key: keyOf(s, ring),
		admin: s.Admin, group: s.Group, byEmail: s.ByEmail, keepQuotas: s.KeepQuotas, now: now,
		wake: make(chan struct{}, 1), reached: func(string) {},
	}
}

// keyOf returns what stands for the administrator's credentials: who has the
// database cannot guess them by it.
func keyOf(s Settings, ring *keyring.Ring) string {
	key := ring.Derive("nextcloud administrator v1").Current()
	mac := hmac.New(sha256.New, key.Bytes[:])
	for _, part := range []string{s.URL.String(), s.Admin, s.Password.Reveal()} {
		mac.Write([]byte(part + "\x00"))
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// ReadReconciler returns the reconciler for the Nextcloud in the environment,
// or nil where there is none.
func ReadReconciler(env *config.Env, db *store.DB, ring *keyring.Ring) *Reconciler {
	s := ReadSettings(env)
	if s.URL == nil {
		return nil
	}
	if s.Admin == "" {
		env.Refuse("NEXTCLOUD_ADMIN_USER", "", "the id of a Nextcloud administrator, because NEXTCLOUD_URL is set")
	}
	if s.Password == "" {
		env.RefuseSecret("NEXTCLOUD_ADMIN_PASSWORD", "is not set", "the administrator's password, because NEXTCLOUD_URL is set")
	}
	return New(db, s, ring, time.Now)
}

// A Result is what a batch did.
type Result struct {
	Attempted int `json:"claimed"`   // accounts that were due and tried
	Succeeded int `json:"succeeded"` // of them, those that are as wished now
	Failed    int `json:"failed"`
	Remaining int `json:"remaining"` // accounts that are not as wished yet: they are due now or later

	// What keeps all that remain from being tried, and when the next one can be:
	// null for nothing, and for now. Accounts can also wait for their own next try.
	WaitsFor      *store.BlockReason `json:"waits_for"`
	NextAttemptAt *time.Time         `json:"next_try_at"`
}

// RunBatch tries up to n due accounts, a few at a time. One failure does not
// stop the next, but what concerns Nextcloud as a whole does, in every process:
// it being down, asking to wait, or refusing the administrator. So does the
// deadline of ctx, while there still is time to say what was done. The error is
// of the database or of ctx; what is leased and not tried is given back.
func (r *Reconciler) RunBatch(ctx context.Context, n int) (res Result, err error) {
	left, err := r.Backlog(ctx)
	if err == nil && left.Due > 0 && !late(ctx) {
		var open bool
		if open, err = r.enter(ctx); err == nil && open {
			res, err = r.lease(ctx, n)
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

// lease leases up to n accounts and tries them.
func (r *Reconciler) lease(ctx context.Context, n int) (res Result, err error) {
	start, lease := r.now(), uid.New()
	rows, err := r.db.LeaseNextcloud(ctx, lease, start, start.Add(leaseTime), n)
	if err != nil || len(rows) == 0 {
		return Result{}, err
	}
	b := &batch{Reconciler: r, lease: lease, rows: rows, until: start.Add(leaseTime / 2)}
	var others sync.WaitGroup
	for range min(workers, len(rows)) - 1 {
		others.Go(func() { b.work(ctx) })
	}
	b.work(ctx)
	others.Wait()
	// What was begun is settled; the rest goes back at once.
	return b.res, errors.Join(b.err, ctx.Err(), r.release(ctx, lease))
}

// A batch is leased accounts, shared by workers.
type batch struct {
	*Reconciler

	lease string
	until time.Time // begin none later

	mu   sync.Mutex
	rows []desired.Account // not begun
	res  Result
	err  error // of the database
}

// work tries one account after the other.
func (b *batch) work(ctx context.Context) {
	for {
		n, ok := b.next(ctx)
		if !ok {
			return
		}
		done, ok, err := b.one(ctx, b.lease, n)
		b.mu.Lock()
		switch {
		case done && ok:
			b.res.Attempted++
			b.res.Succeeded++
		case done:
			b.res.Attempted++
			b.res.Failed++
		}
		b.err = errors.Join(b.err, err)
		b.mu.Unlock()
	}
}

// next returns an account to begin, unless it is time to stop.
func (b *batch) next(ctx context.Context) (desired.Account, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rows) == 0 || b.err != nil || ctx.Err() != nil || late(ctx) || b.now().After(b.until) {
		return desired.Account{}, false
	}
	n := b.rows[0]
	b.rows = b.rows[1:]
	return n, true
}

// release gives back what was leased and not tried, also when ctx has ended.
func (r *Reconciler) release(ctx context.Context, lease string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), room)
	defer cancel()
	return r.db.ReleaseNextcloudLeases(ctx, lease)
}

// late reports whether the deadline leaves no time for one more account. It is
// on the machine's clock, as all deadlines are.
func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < room
}

// one tries one account and settles what became of it. It is not done with
// while Nextcloud may not be called.
func (r *Reconciler) one(ctx context.Context, lease string, n desired.Account) (done, ok bool, err error) {
	gate, err := r.db.NextcloudBreaker(ctx, r.key, r.now())
	if err != nil || !gate.Closed {
		return false, false, err
	}
	t := &try{Reconciler: r, lease: lease, account: n, gate: gate, outcome: desired.Outcome{
		Owned: n.Owned, Link: n.Link, InitialPassword: n.InitialPassword, PendingPassword: n.PendingPassword, HasUserPassword: n.HasUserPassword, PendingIsSet: n.PendingIsSet, WantsPassword: n.WantsPassword,
	}}
	failure := t.run(ctx)
	if ctx.Err() != nil {
		return false, false, ctx.Err()
	}
	now := r.now()
	if failure != nil {
		if err := r.failed(ctx, t, failure, now); err != nil {
			return false, false, err
		}
	} else {
		if n.State == desired.Absent || n.Link == desired.Released {
			err = r.db.DeleteNextcloud(ctx, n, lease)
			if !errors.Is(err, store.ErrChanged) {
				r.reached("forgotten")
				return true, true, err
			}
			// A new wish came while the old one was carried out: settle, and
			// begin again.
		}
		t.outcome.Synced = true
	}
	err = r.settle(ctx, t, now)
	r.reached("settled")
	if errors.Is(err, store.ErrChanged) {
		return true, false, nil // the lease ran out: whoever has it now settles
	}
	return true, failure == nil, err
}

// settle ends the lease with what became of the try. That an account turns out
// to be somebody else's is an event for reviewers.
func (r *Reconciler) settle(ctx context.Context, t *try, now time.Time) error {
	n := t.account
	word := t.outcome.LastError
	if t.outcome.Status != desired.Conflict || n.Status == desired.Conflict || word != IDTaken && word != EmailTaken {
		return r.db.SettleNextcloud(ctx, n, t.lease, t.outcome, now)
	}
	event := audit.New(audit.IDTaken, n.UserID, audit.Origin{}, now)
	event.Detail = t.outcome.ConflictID
	return r.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SettleNextcloud(ctx, n, t.lease, t.outcome, now); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
}

// Loop runs batches until ctx ends: at once when woken, else every few seconds.
// Idle, it compares both sides once a day. A nil reconciler waits for the end.
func (r *Reconciler) Loop(ctx context.Context) {
	if r == nil {
		<-ctx.Done()
		return
	}
	background.Loop{Failed: "reconcile", Interval: interval, Jitter: interval / 2, Wake: r.wake}.Run(ctx, r.round)
}

// round runs batches as long as they are full, and sweeps once a day when nothing
// is due.
func (r *Reconciler) round(ctx context.Context) error {
	for {
		res, err := r.RunBatch(ctx, loopBatch)
		switch {
		case err != nil:
			return err
		case res.Attempted == 0:
			return r.SweepDaily(ctx)
		case res.Attempted < loopBatch:
			return nil
		}
	}
}

// Wake makes the loop look for work now. It does not block.
func (r *Reconciler) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake already
	}
}
