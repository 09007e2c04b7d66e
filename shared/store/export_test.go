package store

import (
	"context"
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
