package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrPooled is returned if a pooler shares PostgreSQL's sessions among its clients: a lock
// would stay in a session that other clients get.
var ErrPooled = errors.New("the database is behind a connection pooler (PgBouncer in transaction mode, RDS Proxy or the like), " +
	"where no migration can keep its lock: set MIGRATE_DATABASE_URL to the address of the server itself")

// lockID is the key of the advisory lock. It is goose's default, so earlier versions wait
// for it, too.
const lockID = 4097083626

// errBusy is returned if another migration still holds the advisory lock in the end.
var errBusy = errors.New("another migration is running")

// A locker serializes migrations of one PostgreSQL database by an advisory lock of the
// session that migrates. While that session waits, for the advisory lock or later for a
// table, it reports which session holds the lock.
//
// A done context of database/sql would close the connection of an open transaction in
// another goroutine, while SessionUnlock uses it. So the migration gets a context of its
// own, and the server cancels its statement instead.
type locker struct {
	db       *sql.DB
	caller   context.Context // when it is done, the server is asked to cancel
	abandon  func()          // ends the migration's own context: the server does not answer
	timeout  time.Duration   // of one wait for the lock of a table
	giveUp   time.Time       // when to stop waiting for the advisory lock
	reporter *waitReporter
	stop     func() (abandoned bool) // stops watch
}

const (
	lockEvery     = 100 * time.Millisecond // between two attempts to take the advisory lock
	watchEvery    = 500 * time.Millisecond // the delay until a wait is noticed
	cancelEvery   = 50 * time.Millisecond  // a statement may just have ended, and the next one begun
	cancelTimeout = 2 * time.Second        // of one request to cancel
)

// SessionLock takes the advisory lock on conn and limits how long conn waits for any lock.
// It polls: a statement that waits for the lock has a snapshot, for whose end the holder
// of the lock waits when it builds an index concurrently.
func (l *locker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	session, err := unpooled(l.caller, l.db, conn)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(l.caller, fmt.Sprintf("SET lock_timeout = %d", l.timeout.Milliseconds())); err != nil {
		return fmt.Errorf("set lock_timeout: %w", err)
	}
	for {
		var locked bool
		if err := conn.QueryRowContext(l.caller, "SELECT pg_try_advisory_lock($1)", int64(lockID)).Scan(&locked); err != nil {
			return fmt.Errorf("advisory lock: %w", err)
		}
		if locked {
			l.reporter.over()
			l.watch(ctx, session)
			return nil
		}
		if line, err := waitsFor(l.caller, l.db, holderQuery, int64(lockID)); err == nil && line != "" {
			l.reporter.report(line)
		}
		if !time.Now().Before(l.giveUp) {
			return errBusy
		}
		if !pause(l.caller, lockEvery) {
			return l.caller.Err()
		}
	}
}

// SessionUnlock releases the lock.
func (l *locker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	if abandoned := l.stop(); abandoned {
		return nil // the lock ends with the connection
	}
	var held bool
	err := conn.QueryRowContext(ctx, "SELECT pg_advisory_unlock($1)", int64(lockID)).Scan(&held)
	if err == nil && !held {
		err = errors.New("it was not held")
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "RESET lock_timeout")
	}
	if err != nil {
		return fmt.Errorf("advisory unlock: %w", err)
	}
	return nil
}

// watch reports what the session waits for, until stop is called. If the caller's context
// is done, it cancels what the session does.
func (l *locker) watch(ctx context.Context, session int) {
	caller, cancel := context.WithCancel(l.caller)
	stopped, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for pause(caller, watchEvery) {
			line, err := waitsFor(caller, l.db, blockerQuery, session)
			switch {
			case err != nil: // the migration will report the same problem
			case line == "":
				l.reporter.over()
			default:
				l.reporter.report(line)
			}
		}
		for stopped.Err() == nil {
			if err := cancelStatement(stopped, l.db, session); err != nil && stopped.Err() == nil {
				l.abandon()
				return
			}
			pause(stopped, cancelEvery)
		}
	})
	l.stop = func() (abandoned bool) {
		stop()
		cancel()
		done.Wait()
		return ctx.Err() != nil
	}
}

// cancelStatement cancels the statement that the session executes, if any.
func cancelStatement(ctx context.Context, db *sql.DB, session int) error {
	ctx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	_, err := db.ExecContext(ctx, "SELECT pg_cancel_backend($1)", session)
	return err
}

// Queries for the session that another one, $1, waits for, and for the one that holds the
// advisory lock $1. PostgreSQL shows details of other sessions only to the same user and
// to members of pg_read_all_stats.
const (
	sessionColumns = `b.pid, COALESCE(a.usename::text, ''), COALESCE(a.application_name, ''), COALESCE(a.state, ''),
			COALESCE(a.xact_start, a.backend_start)`
	blockerQuery = `
		SELECT l.locktype, COALESCE(l.relation::regclass::text, ''), ` + sessionColumns + `
		FROM pg_locks l CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS b (pid)
			LEFT JOIN pg_stat_activity a ON a.pid = b.pid
		WHERE l.pid = $1 AND NOT l.granted
		ORDER BY a.xact_start LIMIT 1`
	holderQuery = `
		SELECT 'advisory', '', ` + sessionColumns + `
		FROM pg_locks b LEFT JOIN pg_stat_activity a ON a.pid = b.pid
		WHERE b.locktype = 'advisory' AND b.granted AND b.objid::bigint = $1 AND b.classid = 0 AND b.objsubid = 1
			AND b.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		LIMIT 1`
)

// waitsFor describes what the query finds, or returns "" if there is no wait.
func waitsFor(ctx context.Context, db *sql.DB, query string, arg any) (string, error) {
	var (
		what, table, user, program, state string
		holder                            int
		since                             sql.NullTime
	)
	err := db.QueryRowContext(ctx, query, arg).Scan(&what, &table, &holder, &user, &program, &state, &since)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if what == "advisory" {
		what = "another migration"
	} else if table != "" {
		what = "a lock on table " + table
	} else {
		what = "a lock (" + what + ")"
	}
	line := fmt.Sprintf("waiting for %s, which process %d holds", what, holder)
	for _, detail := range []struct{ name, value string }{{"user", user}, {"application", program}, {"state", state}} {
		if detail.value != "" {
			line += fmt.Sprintf(", %s %q", detail.name, detail.value)
		}
	}
	if since.Valid {
		line += ", since " + since.Time.UTC().Format(time.RFC3339)
	}
	return line, nil
}

const (
	pooledLooks = 5               // on each of two connections
	pooledTime  = 5 * time.Second // for all of them
)

// unpooled returns the server process that conn is connected to, or [ErrPooled] if conn
// does not keep one: if a transaction is open on another connection, conn uses the same
// process or changes to another one.
func unpooled(ctx context.Context, db *sql.DB, conn *sql.Conn) (session int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pooledTime, errors.New("the server gives no second connection"))
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}()
	other, err := db.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("second connection: %w", err)
	}
	defer other.Close()
	for range pooledLooks {
		before, err := process(ctx, conn)
		if err != nil {
			return 0, err
		}
		tx, err := other.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		theirs, err := process(ctx, tx)
		session = before
		if err == nil && theirs != before {
			session, err = process(ctx, conn)
		}
		if err := errors.Join(err, tx.Rollback()); err != nil {
			return 0, err
		}
		if theirs == before || session != before {
			return 0, ErrPooled
		}
	}
	return session, nil
}

// process returns the id of the server process that responds.
func process(ctx context.Context, on interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (id int, err error) {
	err = on.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&id)
	return id, err
}
