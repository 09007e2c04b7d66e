package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// coded reports errors with one of the SQLSTATEs (PostgreSQL appendix A).
func coded(states ...string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*pgconn.PgError](err)
		return ok && slices.Contains(states, e.Code)
	}
}

// unavailable reports errors of the server or of the connection to it rather than
// of the statement: refused, cut, timed out, shutting down, out of resources, a
// standby after a failover, or not for us (a wrong password is put right by
// somebody else than the caller).
func unavailable(err error) bool {
	if connecting(err) {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.ContainsFunc(passing, func(state string) bool { return strings.HasPrefix(e.Code, state) })
	}
	if errors.Is(err, context.Canceled) {
		return false // the caller left
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) ||
		pgconn.SafeToRetry(err)
}

// passing are the SQLSTATEs, and classes of them, of a server that cannot do now
// what it can do later.
var passing = []string{
	"08",             // connection exceptions; also how poolers tell that they lost the server
	"53",             // out of memory, disk or connections
	"57",             // cancelled, shutting down, starting
	"58",             // an error of the system, such as of its disk
	"25006",          // read-only: no longer the primary
	"25P03", "25P04", // the session was ended, which had been in a transaction for too long
	"40003", // the outcome is not known
	"55P03", // a lock was not given within lock_timeout
}

// undone reports errors after which the statement has certainly not taken effect:
// it was not sent, or the server itself says that it failed. Not so what a pooler
// says that lost the server (class 08), nor the end of a connection that had
// carried the statement: a server ends before it answers, having committed.
func undone(err error) bool {
	if connecting(err) {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return !strings.HasPrefix(e.Code, "08") && e.Code != "40003"
	}
	// What database/sql runs again by itself, and what pgx did not send because the
	// time was up. SafeToRetry alone is no proof: of a connection that is lost under
	// a commit pgx says "conn closed", safe to retry.
	return errors.Is(err, driver.ErrBadConn) || pgconn.Timeout(err) && pgconn.SafeToRetry(err)
}

// connecting reports that there was no connection yet.
func connecting(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}
