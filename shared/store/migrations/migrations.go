// Package migrations brings a database's schema to the version this code
// needs. It is apart from store so that functions do not carry it: servers and
// Lambda migrate before a deployment (gateway migrate up), the embedded SQLite
// default migrates itself at start.
//
// Every change expands first and contracts in a later release, so that old code
// runs on the new schema and new code on the old one.
package migrations

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/voiceassist/gateway/shared/store"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// A Step is one migration and whether the database has it.
type Step struct {
	Version int64
	Name    string
	Applied bool
}

// Up applies what is missing, each migration in a transaction of its own, and
// returns how many were applied. On PostgreSQL an advisory lock makes
// concurrent calls wait for each other; running it again does nothing. What a
// database cannot do follows, in small statements: see [store.DB.SettleEmails].
func Up(ctx context.Context, db *store.DB) (int, error) {
	p, err := provider(db)
	if err != nil {
		return 0, err
	}
	done, err := p.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrate up: %w", err)
	}
	if _, err := db.SettleEmails(ctx); err != nil {
		return len(done), fmt.Errorf("migrate up: %w", err)
	}
	return len(done), nil
}

// Status returns every migration this code knows, oldest first.
func Status(ctx context.Context, db *store.DB) ([]Step, error) {
	p, err := provider(db)
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

// Whoever waits for the lock asks for it every lockPoll seconds, lockPolls times:
// five minutes in all.
const lockPoll, lockPolls = 1, 300

func provider(db *store.DB) (*goose.Provider, error) {
	engine := db.Engine()
	dir, err := fs.Sub(files, engine)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", engine, err)
	}
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)),
	}
	dialect := goose.DialectSQLite3
	if engine == store.PostgreSQL {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPoll, lockPolls))
		if err != nil {
			return nil, fmt.Errorf("migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db.Handle(), dir, options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}
