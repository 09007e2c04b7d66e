package provision

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/keyring"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/seal"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/uid"
	"github.com/voiceassist/gateway/shared/wish"
)

// A Directory is where the accounts are. Its errors are those of [nextcloud].
type Directory interface {
	CreateUser(ctx context.Context, u nextcloud.NewUser) error
	User(ctx context.Context, id string) (nextcloud.User, error)
	Authenticate(ctx context.Context, id string, password config.Secret) (nextcloud.User, error)
	AppPassword(ctx context.Context, id string, password config.Secret) (config.Secret, error)
	Edit(ctx context.Context, id, key, value string) error
	Enable(ctx context.Context, id string) error
	Disable(ctx context.Context, id string) error
	DeleteUser(ctx context.Context, id string) error
}

var _ Directory = (*nextcloud.Client)(nil)

const (
	leaseTime = 5 * time.Minute // of a batch; after half of it nothing new is begun
	loopBatch = 20              // accounts that the loop leases at a time
	interval  = 5 * time.Second // between two looks of the loop when nobody wakes it
	room      = 5 * time.Second // what one account takes on a slow day; with less left, none is begun
)

// A Reconciler makes wishes true. It is safe for concurrent use, and any number
// of them may work on one database.
type Reconciler struct {
	db        *store.DB
	directory Directory
	box       *seal.Box
	now       func() time.Time
	wake      chan struct{}
	reached   func(point string) // for tests: called after each call and commit

	mu          sync.Mutex
	closedUntil time.Time // no call before
	unavailable int       // answers in a row that Nextcloud did not give
}

// New returns a reconciler of the wishes in db. The box opens what the Wisher
// sealed.
func New(db *store.DB, directory Directory, box *seal.Box, now func() time.Time) *Reconciler {
	return &Reconciler{
		db: db, directory: directory, box: box, now: now,
		wake: make(chan struct{}, 1), reached: func(string) {},
	}
}

// ReadReconciler returns the reconciler for the Nextcloud in the environment,
// or nil where there is none.
func ReadReconciler(env *config.Env, db *store.DB, ring *keyring.Ring) *Reconciler {
	s := Read(env)
	if s.URL == nil {
		return nil
	}
	if s.Admin == "" {
		env.Refuse("NEXTCLOUD_ADMIN_USER", "", "the id of a Nextcloud administrator, as NEXTCLOUD_URL is set")
	}
	if s.Password == "" {
		env.RefuseSecret("NEXTCLOUD_ADMIN_PASSWORD", "is not set", "the administrator's own password, as NEXTCLOUD_URL is set")
	}
	client := nextcloud.New(nextcloud.Config{
		URL: s.URL, AdminUser: s.Admin, AdminPassword: s.Password, Roots: s.Roots,
	})
	return New(db, client, newBox(ring), time.Now)
}

// A Result is what a batch did.
type Result struct {
	Claimed   int `json:"claimed"`   // accounts that were due and tried
	Succeeded int `json:"succeeded"` // of them, those that are as wished now
	Failed    int `json:"failed"`
	Remaining int `json:"remaining"` // accounts that are still due
}

// RunBatch tries up to n due accounts, one after the other. One failure does
// not stop the next, but what concerns Nextcloud as a whole does: it being
// down, asking to wait, or refusing the administrator. So does the deadline of
// ctx, while there still is time to say what was done. The error is of the
// database or of ctx; what is leased and not tried is given back.
func (r *Reconciler) RunBatch(ctx context.Context, n int) (res Result, err error) {
	start := r.now()
	if r.open(start) {
		lease := uid.New()
		rows, err := r.db.LeaseNextcloud(ctx, lease, start, start.Add(leaseTime), n)
		if err != nil {
			return Result{}, err
		}
		for _, row := range rows {
			if ctx.Err() != nil || late(ctx) || !r.open(r.now()) || r.now().Sub(start) > leaseTime/2 {
				// What was begun is settled; the rest goes back at once.
				if err := r.db.ReleaseNextcloud(context.WithoutCancel(ctx), lease); err != nil {
					return res, err
				}
				break
			}
			ok, err := r.one(ctx, lease, row)
			if err != nil {
				return res, errors.Join(err, r.db.ReleaseNextcloud(context.WithoutCancel(ctx), lease))
			}
			res.Claimed++
			if ok {
				res.Succeeded++
			} else {
				res.Failed++
			}
		}
	}
	res.Remaining, err = r.db.NextcloudDue(ctx, r.now())
	return res, err
}

// late reports whether the deadline leaves no time for one more account. It is
// on the machine's clock, as all deadlines are.
func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < room
}

// one tries one account and settles what became of it.
func (r *Reconciler) one(ctx context.Context, lease string, n wish.Account) (ok bool, err error) {
	t := &try{Reconciler: r, lease: lease, account: n, outcome: wish.Outcome{
		Owned: n.Owned, First: n.First, Password: n.Password, App: n.App,
	}}
	failure := t.run(ctx)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	now := r.now()
	if failure == nil {
		r.worked()
		if n.State == wish.Absent {
			err = r.db.ForgetNextcloud(ctx, n, lease)
			if !errors.Is(err, store.ErrChanged) {
				r.reached("forgotten")
				return true, err
			}
			// A new wish came while the old one was carried out: settle, and
			// begin again.
		}
		t.outcome.Synced = true
	} else {
		r.failed(ctx, t, failure, now)
	}
	err = r.db.SettleNextcloud(ctx, n, lease, t.outcome, now)
	r.reached("settled")
	if errors.Is(err, store.ErrChanged) {
		return false, nil // the lease ran out: whoever has it now settles
	}
	return failure == nil, err
}

// Loop runs batches until ctx ends: at once when woken, else every few seconds.
// A nil reconciler waits for the end.
func (r *Reconciler) Loop(ctx context.Context) {
	if r == nil {
		<-ctx.Done()
		return
	}
	for ctx.Err() == nil {
		res, err := r.RunBatch(ctx, loopBatch)
		if err != nil && ctx.Err() == nil {
			slog.LogAttrs(ctx, slog.LevelWarn, "reconcile", slog.String("cause", err.Error()))
		}
		if err == nil && res.Claimed == loopBatch {
			continue
		}
		t := time.NewTimer(interval + rand.N(interval/2))
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// Wake makes the loop look for work now. It does not block.
func (r *Reconciler) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake already
	}
}
