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

// coded returns a function that reports whether an error has one of the SQLSTATEs
// (PostgreSQL appendix A).
func coded(states ...string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*pgconn.PgError](err)
		return ok && slices.Contains(states, e.Code)
	}
}

// unavailable reports whether err is a failure of the server or of the connection, not of
// the statement: refused, closed, timed out, shutting down, out of resources, or a standby
// after a failover. Rejected credentials count, too: the caller cannot correct them.
func unavailable(err error) bool {
	if connecting(err) {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.ContainsFunc(transientStates, func(state string) bool { return strings.HasPrefix(e.Code, state) })
	}
	if errors.Is(err, context.Canceled) {
		return false // the caller has gone
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) ||
		pgconn.SafeToRetry(err)
}

// transientStates are the SQLSTATEs, and classes of them, of temporary failures of a server.
var transientStates = []string{
	"08",             // connection exceptions; also reported by poolers that lost the server
	"53",             // out of memory, disk or connections
	"57",             // cancelled, shutting down, starting
	"58",             // a system error, such as one of the disk
	"25006", "0A000", // a standby, or no longer the primary
	"25P03", "25P04", // the session was ended after too long in a transaction
	"40003", // the outcome is unknown
	"55P03", // lock_timeout expired
}

// notApplied reports whether the statement has certainly not taken effect: it was not sent,
// or the server reported that it failed. It is false if a pooler lost the server (class 08),
// and if a connection that carried the statement was lost: a server may commit and then
// end before it responds.
func notApplied(err error) bool {
	if connecting(err) {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return !strings.HasPrefix(e.Code, "08") && e.Code != "40003"
	}
	// Errors after which database/sql retries, and statements that pgx did not send because of
	// a timeout. SafeToRetry alone is not enough: if a connection is lost during a commit, pgx
	// returns "conn closed" and calls it safe to retry.
	return errors.Is(err, driver.ErrBadConn) || pgconn.Timeout(err) && pgconn.SafeToRetry(err)
}

// connecting reports whether err occurred while connecting.
func connecting(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}
