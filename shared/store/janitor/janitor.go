// Package janitor deletes obsolete rows from the database: logins that expired
// long ago, and rate limits that limit nothing. It settles what older
// code wrote, and says which accounts an administrator must look at. The audit
// trail looks after itself (package trail).
package janitor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	// Every is the time between two rounds of one process.
	Every = time.Hour
	// Remembered is how long an expired login is told apart from one that never
	// was.
	Remembered = 24 * time.Hour
)

// A Tidier tidies one database, as several may at a time. It is safe for
// concurrent use.
type Tidier struct {
	db  *store.DB
	now func() time.Time

	mu    sync.Mutex
	last  time.Time // of a round that worked
	twins int       // that were told last
}

// New returns a Tidier of db.
func New(db *store.DB, now func() time.Time) *Tidier { return &Tidier{db: db, now: now} }

// Due tidies unless this process did in the last hour ([Every]). It is for a
// function that is asked more often.
func (t *Tidier) Due(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if since := now.Sub(t.last); since >= 0 && since < Every {
		return nil
	}
	n, err := t.db.DeleteExpiredLogins(ctx, now.Add(-Remembered))
	if n > 0 {
		slog.LogAttrs(ctx, slog.LevelDebug, "forget logins", slog.Int64("count", n))
	}
	if err = errors.Join(err, t.db.RateLimits().Sweep(ctx, now), t.settle(ctx)); err == nil {
		t.last = now
	}
	return err
}

// settle gives accounts that older code wrote their canonical addresses, and
// tells, when their number changes, of those that cannot have it.
func (t *Tidier) settle(ctx context.Context) error {
	twins, err := t.db.CanonicalizeEmails(ctx)
	if err != nil || len(twins) == t.twins {
		return err
	}
	t.twins = len(twins)
	const told = 20
	pairs := make([]string, 0, told)
	for _, twin := range twins[:min(len(twins), told)] {
		pairs = append(pairs, string(twin.Account)+" of "+string(twin.Holder))
	}
	slog.LogAttrs(ctx, slog.LevelWarn, "accounts with another account's e-mail address in another spelling",
		slog.Int("count", len(twins)), slog.Any("user_ids", pairs))
	return nil
}

// Loop tidies at once and every hour, until ctx ends.
func (t *Tidier) Loop(ctx context.Context) {
	background.Loop{Failed: "tidy", Interval: Every}.Run(ctx, t.Due)
}
