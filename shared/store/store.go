// Package store is the only place with SQL.
//
// A [DB] speaks to PostgreSQL or to the embedded SQLite with one text per
// statement; subpackages postgres and sqlite open one, what differs sits in a
// [Dialect]. Each method of [Statements] is one statement and one round trip.
// Where two writes must be true together, [DB.Update] runs them in one
// transaction.
//
// Audit events go into the log, too, once they are committed.
//
// Time comes in as an argument and is kept in microseconds; ids come from the
// caller. No session state is used, so a transaction pooler may stand between.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// SchemaVersion is the newest migration that this code relies on. An older
// schema is refused, by readiness and by every statement; a newer one is
// tolerated.
const SchemaVersion = 16

// PostgreSQL and SQLite are the engines' names.
const (
	PostgreSQL = "postgres"
	SQLite     = "sqlite"
)

// A Dialect is what differs between the engines beyond the DDL.
type Dialect struct {
	Engine      string           // PostgreSQL or SQLite
	SkipLocked  string           // appended to the SELECT that leases rows
	ForUpdate   string           // appended to a SELECT of users and logins: nobody else writes them until the end
	ForShare    string           // the same, for any number at once
	Retryable   func(error) bool // a serialization failure: run the transaction again
	Duplicate   func(error) bool // a unique constraint was violated
	NoParent    func(error) bool // a foreign key names a row that is gone
	NoTable     func(error) bool // a table does not exist
	Locked      func(error) bool // somebody else holds a lock, which was waited for
	Unavailable func(error) bool // the database did not answer, or had no room or no right to do what it was asked
	NotApplied  func(error) bool // of those: what it was asked for has certainly not happened
}

// A DB is a database with the gateway's schema. It is safe for concurrent use.
type DB struct {
	Statements

	sql            *sql.DB
	versionChecked atomic.Bool // the schema was found to be new enough
}

// New returns a DB over an opened handle. Use the Open of subpackage postgres
// or sqlite instead.
func New(handle *sql.DB, d *Dialect) *DB {
	db := &DB{Statements: Statements{on: handle, dialect: d}, sql: handle}
	db.checkSchema = db.checkVersion
	return db
}

// Engine returns [PostgreSQL] or [SQLite].
func (db *DB) Engine() string { return db.dialect.Engine }

// Handle returns the handle beneath, for migrations; everything else has a
// method here.
func (db *DB) Handle() *sql.DB { return db.sql }

// Locked reports whether err says that somebody else held a lock, and that it was
// waited for in vain.
func (db *DB) Locked(err error) bool { return db.dialect.Locked(err) }

// Observe calls fn after every statement with how long it took. Call it before
// the first statement; fn is called concurrently.
func (db *DB) Observe(fn func(took time.Duration)) { db.observe = fn }

// LogTo makes log the one that audit events go to; unset, it is [slog.Default].
// Call it before the first statement.
func (db *DB) LogTo(log *slog.Logger) { db.log = log }

// SetLoginLifetime ends every login so long after it began, however it is used; 0, as
// at first, is no limit. Call it before the first statement. What is kept of a
// login does not depend on it.
func (db *DB) SetLoginLifetime(lifetime time.Duration) { db.logins.Absolute = lifetime }

// Close closes all connections.
func (db *DB) Close() error { return db.sql.Close() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.readError(ctx, db.sql.PingContext(ctx)) }

// A Tx is one transaction: the same statements, standing or falling together.
type Tx struct {
	Statements
}

const maxAttempts = 8 // of one transaction under contention; with the backoff below about a second

// Update runs fn in a serializable transaction, commits if fn returns nil and
// rolls back otherwise, also when fn panics. On a serialization failure fn runs
// again, at most maxAttempts times in all, with jittered pauses that obey ctx;
// so fn must have no effect outside tx, and must not hash, call out or sleep. It
// returns [ErrOutcomeUnknown] when the connection is lost during the commit; fn
// does not run again then.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.tryUpdate(ctx, fn)
		if err == nil || !db.dialect.Retryable(err) {
			return err
		}
		if attempt == maxAttempts {
			return ErrUnavailable.Because(err)
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (db *DB) tryUpdate(ctx context.Context, fn func(tx *Tx) error) (err error) {
	if err := db.checkSchema(ctx); err != nil {
		return err
	}
	tx, err := db.sql.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return fmt.Errorf("begin: %w", db.readError(ctx, err))
	}
	defer tx.Rollback()
	var pending []audit.Event
	if err := fn(&Tx{Statements{on: tx, dialect: db.dialect, observe: db.observe, logins: db.logins, checkSchema: skipCheck, pending: &pending}}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", db.commitError(ctx, err))
	}
	for _, e := range pending {
		db.LogEvent(ctx, e)
	}
	return nil
}

// pause waits 1-2 ms after the first attempt and twice as long after each.
func pause(ctx context.Context, attempt int) error {
	base := time.Millisecond << attempt
	t := time.NewTimer(base/2 + rand.N(base/2))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Statements are what can be asked of the database, one statement a method, on
// a [DB] each by itself or on a [Tx] together.
type Statements struct {
	on interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	dialect     *Dialect
	logins      signin.Lifetimes                // Total only
	observe     func(took time.Duration)        // may be nil
	checkSchema func(ctx context.Context) error // whether the schema is
	log         *slog.Logger                    // for audit events; may be nil
	pending     *[]audit.Event                  // of a transaction: for the log when it is committed
}

// observeSince tells the observer of a statement that began at start.
func (s *Statements) observeSince(start time.Time) {
	if s.observe != nil {
		s.observe(time.Since(start))
	}
}

// exec runs a statement and returns how many rows it changed. One that stands
// alone must have arguments: pgx sends others by the simple protocol, under which
// database/sql may run twice what it has lost the answer of.
func (s *Statements) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := s.checkSchema(ctx); err != nil {
		return 0, err
	}
	defer s.observeSince(time.Now())
	result, err := s.on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, s.statementError(ctx, query, err)
	}
	return result.RowsAffected()
}

// queryRow runs a query for one row; no row is missing.
func (s *Statements) queryRow(ctx context.Context, missing error, dest []any, query string, args ...any) error {
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	defer s.observeSince(time.Now())
	query, args = defense.Bind(query, args)
	err := s.on.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	return s.statementError(ctx, query, err)
}

// query runs a query and calls scan for every row.
func (s *Statements) query(ctx context.Context, scan func(row scanner) error, query string, args ...any) error {
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	defer s.observeSince(time.Now())
	rows, err := s.on.QueryContext(ctx, query, args...)
	if err != nil {
		return s.statementError(ctx, query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return s.statementError(ctx, query, err)
		}
	}
	return s.statementError(ctx, query, rows.Err())
}

type scanner interface{ Scan(dest ...any) error }
