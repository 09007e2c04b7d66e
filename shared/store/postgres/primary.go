package postgres

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A primaryLoss counts how often a server refused a change because it is a standby, or was
// made read-only. That server was the primary before a failover, or a name still leads to
// it. No connection that was opened until then is used again: it may lead to the same
// server, where changes fail and what is read is old.
type primaryLoss struct{ times atomic.Int64 }

// watchPrimary makes connections of c report a loss of the primary, and close.
func watchPrimary(c *pgx.ConnConfig) *primaryLoss {
	lost := &primaryLoss{}
	handle := c.OnPgError
	c.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if slices.Contains(standbyStates, err.Code) {
			lost.times.Add(1)
			return false
		}
		return handle == nil || handle(conn, err)
	}
	return lost
}

// standbyStates are the SQLSTATEs of a standby that is asked for a change, and for a
// serializable transaction.
var standbyStates = []string{"25006", "0A000"}

const lossesBefore = "losses before" // it was opened; in the CustomData of a connection

// opened records when c was opened.
func (l *primaryLoss) opened(c *pgx.Conn) { c.PgConn().CustomData()[lossesBefore] = l.times.Load() }

// before reports whether c was opened before the latest loss. If so, it closes c.
func (l *primaryLoss) before(ctx context.Context, c *pgx.Conn) bool {
	if c.PgConn().CustomData()[lossesBefore] == l.times.Load() {
		return false
	}
	c.Close(ctx)
	return true
}
