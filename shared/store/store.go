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

// SchemaVersion is the newest migration that this code requires. Readiness and
// every statement refuse an older schema. A newer one is accepted.
const SchemaVersion = 25

// The names of the engines.
const (
	PostgreSQL = "postgres"
	SQLite     = "sqlite"
)

// A Dialect describes the differences between the engines beyond the DDL.
type Dialect struct {
	Engine       string           // [PostgreSQL] or [SQLite]
	SingleWriter bool             // one write at a time; those that wait are committed together
	SkipLocked   string           // appended to the SELECT that leases rows
	ForUpdate    string           // appended to a SELECT of users and logins, to lock them against writes
	ForShare     string           // the same, for a lock that several transactions can hold
	Retryable    func(error) bool // a serialization failure: run the transaction again
	Duplicate    func(error) bool // a unique constraint was violated
	NoParent     func(error) bool // a foreign key names a row that is gone
	NoTable      func(error) bool // a table does not exist
	Locked       func(error) bool // a lock was not released in time; the statement had no effect
	Unavailable  func(error) bool // the database did not answer, has no room, or denies access
	NotApplied   func(error) bool // an Unavailable error after which the statement has certainly not taken effect

	// LookUp runs lookups in one round trip, in order, and sets their errors. It returns an
	// error if one failed or all may have failed. nil if round trips cost nothing.
	LookUp func(ctx context.Context, on *sql.DB, lookups []*Lookup) error
}

// A DB is a database with the schema of the gateway. It is safe for concurrent
// use.
type DB struct {
	Statements

	sql            *sql.DB     // for transactions and, on SQLite, all writes
	reads          *sql.DB     // for other reads; on PostgreSQL, the same
	versionChecked atomic.Bool // the schema is new enough
}

// New returns a DB on open handles, one for writes and transactions and one for
// other reads, which may be the same. Use the Open functions of the subpackages
// postgres and sqlite instead.
func New(handle, reads *sql.DB, d *Dialect) *DB {
	db := &DB{Statements: Statements{on: reads, dialect: d, refused: new(atomic.Bool)}, sql: handle, reads: reads}
	db.checkSchema = db.checkVersion
	if d.SingleWriter {
		db.group = newGroupCommit(db)
	}
	if d.LookUp != nil {
		db.lookups = newLookupGroup(func(ctx context.Context, l []*Lookup) error { return d.LookUp(ctx, reads, l) })
	}
	return db
}

// Engine returns [PostgreSQL] or [SQLite].
func (db *DB) Engine() string { return db.dialect.Engine }

// Handle returns the underlying handle, for migrations only.
func (db *DB) Handle() *sql.DB { return db.sql }

// Locked reports whether err means that a lock was not released in time.
func (db *DB) Locked(err error) bool { return db.dialect.Locked(err) }

// Observe sets fn to be called after every statement with its duration. fn may
// be called concurrently. Call Observe before the first statement.
func (db *DB) Observe(fn func(took time.Duration)) { db.observe = fn }

// Trace sets begin to be called before every statement with its text, and end after it
// with its error. They may be called concurrently; end may be nil. Call Trace before the
// first statement.
func (db *DB) Trace(begin func(ctx context.Context, query string) (end func(error))) {
	db.trace = begin
}

// ObserveEvents sets fn to be called with every audit event, after its commit. fn may
// be called concurrently. Call ObserveEvents before the first statement.
func (db *DB) ObserveEvents(fn func(audit.Event)) { db.observeEvent = fn }

// LogTo sets the logger for audit events, [slog.Default] if unset. Call it
// before the first statement.
func (db *DB) LogTo(log *slog.Logger) { db.log = log }

// SetLoginLifetime sets the absolute lifetime of logins; 0, the initial value,
// is no limit. Stored logins do not depend on it. Call it before the first
// statement.
func (db *DB) SetLoginLifetime(lifetime time.Duration) { db.logins.Absolute = lifetime }

// Close closes all connections.
func (db *DB) Close() error {
	if db.group != nil {
		db.group.close()
	}
	return errors.Join(db.reads.Close(), db.sql.Close())
}

// Ping returns nil if the database answers. If it has refused a change, because the disk is
// full or the server is a standby now, Ping returns an error until it accepts one.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.reads.PingContext(ctx); err != nil {
		return db.readError(ctx, err)
	}
	if !db.refused.Load() {
		return nil
	}
	if err := db.tryChange(ctx); err != nil {
		return err
	}
	db.refused.Store(false)
	return nil
}

// A Tx is a transaction. Its statements take effect together or not at all.
type Tx struct {
	Statements
}

const maxAttempts = 8 // of a transaction under contention; about a second with the backoff below

// Update runs fn in a serializable transaction. It commits if fn returns nil,
// and rolls back otherwise, even if fn panics. After a serialization failure it
// runs fn again, at most maxAttempts times in total, with jittered pauses that
// respect ctx. So fn must have no effects outside tx, and must not hash, make
// calls or sleep. If the connection is lost during the commit, Update returns
// [ErrOutcomeUnknown] and does not run fn again.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.tryUpdate(ctx, fn)
		if err == nil || !db.dialect.Retryable(err) {
			db.noteRefusal(err)
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

func (db *DB) tryUpdate(ctx context.Context, fn func(tx *Tx) error) error {
	if err := db.checkSchema(ctx); err != nil {
		return err
	}
	transaction := db.transaction
	if db.group != nil {
		transaction = db.group.run
	}
	var pending []audit.Event
	err := transaction(ctx, func(on executor) error {
		return fn(&Tx{Statements{
			on: on, dialect: db.dialect, observe: db.observe, trace: db.trace, logins: db.logins, checkSchema: skipCheck, pending: &pending,
		}})
	})
	if err != nil {
		return err
	}
	for _, e := range pending {
		db.LogEvent(ctx, e)
	}
	return nil
}

// transaction calls fn with a transaction that has a connection for itself.
func (db *DB) transaction(ctx context.Context, fn func(on executor) error) error {
	tx, err := db.sql.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return fmt.Errorf("begin: %w", db.readError(ctx, err))
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", db.commitError(ctx, err))
	}
	return nil
}

// pause waits 1 to 2 ms after the first attempt, and twice as long after each
// further one.
func pause(ctx context.Context, attempt int) error {
	base := time.Millisecond << attempt
	return wait(ctx, base/2+rand.N(base/2))
}

// Statements are the statements of the database, one a method. A [DB] executes
// each by itself, a [Tx] all together.
type Statements struct {
	on           executor
	group        *groupCommit // for statements that write by themselves; may be nil
	lookups      *lookupGroup // for lookups outside a transaction; may be nil
	dialect      *Dialect
	logins       signin.Lifetimes                          // Total only
	observe      func(took time.Duration)                  // may be nil
	trace        func(context.Context, string) func(error) // see [DB.Trace]; may be nil
	observeEvent func(audit.Event)                         // may be nil
	checkSchema  func(ctx context.Context) error           // fails if the schema is too old
	refused      *atomic.Bool                              // a change failed because of the database; nil in a transaction
	log          *slog.Logger                              // for audit events; may be nil
	pending      *[]audit.Event                            // events of a transaction, logged after the commit
}

// An executor is a pool of connections, a connection or a transaction.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// observeSince reports a statement that began at start to the observer.
func (s *Statements) observeSince(start time.Time) {
	if s.observe != nil {
		s.observe(time.Since(start))
	}
}

// exec executes a statement and returns the number of rows that it changed. A
// statement outside a transaction must have arguments: pgx sends others by the
// simple protocol, and database/sql may then run a statement again whose answer
// was lost.
func (s *Statements) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.run(ctx, query, func(ctx context.Context, on executor) error {
		result, err := on.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n, err
}

// queryRow scans the row of a query into dest, or returns missing if there is
// none.
func (s *Statements) queryRow(ctx context.Context, missing error, dest []any, query string, args ...any) error {
	query, args = defense.Bind(query, args)
	err := s.run(ctx, query, func(ctx context.Context, on executor) error {
		return on.QueryRowContext(ctx, query, args...).Scan(dest...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	return err
}

// query calls scan for every row of a query. If the query runs again, scan gets rows again;
// use [queryList] for a scan that appends to a list.
func (s *Statements) query(ctx context.Context, scan func(row scanner) error, query string, args ...any) error {
	return s.run(ctx, query, func(ctx context.Context, on executor) error { return each(ctx, on, scan, query, args) })
}

// queryList is [Statements.query] for a scan that appends to the list, which is empty
// whenever the query begins.
func queryList[T any](ctx context.Context, s *Statements, list *[]T, scan func(row scanner) error, query string, args ...any) error {
	return s.run(ctx, query, func(ctx context.Context, on executor) error {
		*list = (*list)[:0]
		return each(ctx, on, scan, query, args)
	})
}

// each calls scan for every row.
func each(ctx context.Context, on executor, scan func(row scanner) error, query string, args []any) error {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// alone reports whether statements have no transaction around them.
func (s *Statements) alone() bool { return s.pending == nil }

// run calls fn to run one statement, and returns its error as callers get it. After a
// serialization failure, a statement outside a transaction has had no effect, and runs
// again as [DB.Update] does. Within one, the transaction runs again.
func (s *Statements) run(ctx context.Context, query string, fn func(context.Context, executor) error) error {
	for attempt := 1; ; attempt++ {
		err := s.runOnce(ctx, query, fn)
		if err == nil || !s.alone() || s.dialect.SingleWriter || !s.dialect.Retryable(err) {
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

func (s *Statements) runOnce(ctx context.Context, query string, fn func(context.Context, executor) error) (err error) {
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	defer s.observeSince(time.Now())
	if s.trace != nil {
		if end := s.trace(ctx, query); end != nil {
			defer func() { end(found(err)) }()
		}
	}
	if !s.dialect.SingleWriter {
		return s.statementError(ctx, query, fn(ctx, s.on))
	}
	// To watch a context costs more than most statements of SQLite, which are over in less
	// than a millisecond. An interrupted one would roll back those of its group.
	if err := ctx.Err(); err != nil {
		return err
	}
	uninterrupted := context.WithoutCancel(ctx)
	if s.group == nil || !writes(query) {
		return s.statementError(ctx, query, fn(uninterrupted, s.on))
	}
	return s.group.run(ctx, func(on executor) error {
		return s.statementError(ctx, query, fn(uninterrupted, on))
	})
}

// found returns err, or nil if a query found no row, which is not a failure.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

type scanner interface{ Scan(dest ...any) error }
