// Package migrations migrates a database's schema to the version that this code needs. It
// is separate from store so that functions do not link it. Servers and Lambda are migrated
// before a deployment (gateway migrate up); the embedded SQLite default migrates at start.
//
// Every change first expands and contracts in a later release, so that old code runs on
// the new schema and new code on the old one.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/voiceassist/gateway/shared/store"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// A Step is one migration, and whether it is applied.
type Step struct {
	Version int64
	Name    string
	Applied bool
}

// LockWait says how [Up] waits for locks that others hold: another migration, or a
// transaction that uses a table. The zero value waits for [LongestWait] and reports
// nothing.
type LockWait struct {
	Longest time.Duration     // 0 means LongestWait; a running migration is never interrupted
	Report  func(line string) // called at once and every 10 seconds of a wait; may be nil
	Applied func(name string) // called after each migration; may be nil
}

// LongestWait is how long [Up] waits by default.
const LongestWait = 5 * time.Minute

// A session that waits for a table lock blocks all later sessions, even readers. So a wait
// ends after lockTimeout, lets others proceed for lockPause, and starts again. Requests
// wait for a migration at most that long and as long as it takes to change a catalog.
const (
	lockTimeout = time.Second
	lockPause   = time.Second
)

// Up applies the missing migrations, and returns how many it applied. Each runs in a
// transaction of its own, except those that build indexes on PostgreSQL: their statements
// can be repeated. No migration locks a table for a time that grows with its rows; see
// [Plan]. Concurrent calls wait for each other, also in other processes. A repeated call
// does nothing. Up returns [ErrPooled] if PostgreSQL is behind a pooler. Changes that SQL
// cannot express follow in small statements; see [store.DB.CanonicalizeEmails] and
// [store.DB.IndexAccounts].
func Up(ctx context.Context, db *store.DB, w LockWait) (int, error) {
	if w.Longest == 0 {
		w.Longest = LongestWait
	}
	t := &waitReporter{to: w.Report, applied: w.Applied}
	total := 0
	for giveUp := time.Now().Add(w.Longest); ; {
		n, err := up(ctx, db, t, giveUp)
		total += n
		if err != nil && db.Engine() == store.SQLite && db.Locked(err) {
			t.report("waiting for another process that has locked the database file")
		}
		switch {
		case err == nil:
			return total, nil
		case db.Locked(err) && time.Now().Before(giveUp) && pause(ctx, lockPause):
			continue
		case errors.Is(err, ErrPooled):
			return total, ErrPooled
		case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		if line, waiting := t.last(); line != "" && (waiting || db.Locked(err)) { // who holds the lock
			err = fmt.Errorf("%s: %w", line, err)
		}
		return total, fmt.Errorf("migrate up: %w", err)
	}
}

// pause waits for d and reports whether ctx is still valid.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// up is one attempt of [Up].
func up(ctx context.Context, db *store.DB, t *waitReporter, giveUp time.Time) (int, error) {
	var options []goose.ProviderOption
	migrate := ctx // the context of the migration
	if db.Engine() == store.PostgreSQL {
		timeout := max(min(lockTimeout, time.Until(giveUp)), time.Millisecond) // 0 is no timeout
		own, abandon := context.WithCancel(context.WithoutCancel(ctx))
		defer abandon()
		options = append(options, goose.WithSessionLocker(&locker{
			db: db.Handle(), caller: ctx, abandon: abandon, timeout: timeout, giveUp: giveUp, reporter: t,
		}))
		migrate = own
	} else {
		unlock, err := lockFolder(ctx, db.Handle(), t, giveUp)
		if err != nil {
			return 0, err
		}
		defer unlock()
	}
	if t.applied != nil {
		options = append(options, goose.WithVerbose(true), goose.WithSlog(slog.New(appliedLog{slog.DiscardHandler, t.applied})))
	} else {
		options = append(options, goose.WithSlog(slog.New(slog.DiscardHandler)))
	}
	p, err := provider(db, options...)
	if err != nil {
		return 0, err
	}
	done, err := p.Up(migrate)
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		done = partial.Applied
	}
	if err == nil {
		_, err = db.CanonicalizeEmails(ctx)
	}
	if err == nil {
		err = db.IndexAccounts(ctx)
	}
	return len(done), err
}

// Status returns every migration that this code knows, oldest first.
func Status(ctx context.Context, db *store.DB) ([]Step, error) {
	p, err := provider(db, goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	all, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	steps := make([]Step, len(all))
	for i, s := range all {
		steps[i] = Step{Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied}
	}
	return steps, nil
}

func provider(db *store.DB, options ...goose.ProviderOption) (*goose.Provider, error) {
	engine := db.Engine()
	dir, err := fs.Sub(files, engine)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", engine, err)
	}
	dialect := goose.DialectSQLite3
	if engine == store.PostgreSQL {
		dialect = goose.DialectPostgres
	}
	p, err := goose.NewProvider(dialect, db.Handle(), dir, append(options,
		goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}
