package store

import (
	"context"
	"database/sql"
	"runtime"
)

// InsertAccount is the statement of [Tx.CreateAccount] that inserts the account.
var InsertAccount = (*Statements).insertAccount

const CheckpointAfter = checkpointAfter

// WaitForQueue returns when so many writes wait for the one that runs.
func WaitForQueue(db *DB, writes int) {
	for db.group.queued.Load() < int64(writes) {
		runtime.Gosched()
	}
}

// CountWaiting adds to the number of writes that the present one believes to wait.
func CountWaiting(db *DB, n int64) { db.group.queued.Add(n) }

// How many rows a statement of housekeeping changes at most; the second is for rate limits.
const (
	HousekeepingBatch = housekeepingBatch
	SweepBatch        = sweepBatch
)

// CountChanges returns how many rows each statement of fn changes, which it runs on a DB
// without transactions.
func CountChanges(db *DB, fn func(db *DB) error) (rows []int64, err error) {
	conn, err := db.sql.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := &changeCounter{Conn: conn}
	err = fn(&DB{Statements: Statements{on: c, dialect: db.dialect, checkSchema: skipCheck}, sql: db.sql, reads: db.reads})
	return c.rows, err
}

type changeCounter struct {
	*sql.Conn

	rows []int64
}

func (c *changeCounter) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := c.Conn.ExecContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	n, err := result.RowsAffected()
	c.rows = append(c.rows, n)
	return result, err
}

// LookupGroup is the group of lookups that share round trips.
type LookupGroup = lookupGroup

// NewLookupGroup returns a group with that many round trips at a time.
func NewLookupGroup(trips int, send func(context.Context, []*Lookup) error) *LookupGroup {
	return &lookupGroup{send: send, trips: trips}
}

// Run runs a lookup.
func (g *lookupGroup) Run(ctx context.Context, l *Lookup, alone func() error) error {
	return g.run(ctx, l, alone)
}

// SweptLogins begins the statement that puts logins off.
var SweptLogins = sweptLogins(`expires_at >= $3`, " FOR UPDATE SKIP LOCKED")
