package store

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"time"
)

// A Lookup is a query for one row that may share a round trip with others.
type Lookup struct {
	Query string
	Args  []any
	Dest  []any // what the row is scanned into
	Err   error // the outcome; [sql.ErrNoRows] if there is no row

	done chan struct{} // closed when Err is set
}

const (
	maxLookups    = 64                     // in one round trip
	lookupTimeout = 10 * time.Second       // for one round trip
	lookupStall   = 100 * time.Millisecond // without an answer, lookups no longer wait for others
)

// errNotSent is the outcome of lookups whose round trip failed.
var errNotSent = errors.New("the round trip failed")

// lookupGroup sends lookups to a server. Most of what a lookup costs is the round trip:
// system calls and context switches on both sides. So while half as many round trips as
// there are processors are under way, further lookups wait for the next and share it. A
// lookup reads what was committed before it began, since it is sent afterwards.
type lookupGroup struct {
	send  func(context.Context, []*Lookup) error
	trips int // round trips at a time

	mu       sync.Mutex
	under    int // round trips that are under way
	waiting  []*Lookup
	progress time.Time // of the latest beginning or end of a round trip
}

func newLookupGroup(send func(context.Context, []*Lookup) error) *lookupGroup {
	return &lookupGroup{send: send, trips: max(1, runtime.GOMAXPROCS(0)/2)}
}

// run calls alone if a round trip is free. Otherwise, l is sent with others.
func (g *lookupGroup) run(ctx context.Context, l *Lookup, alone func() error) error {
	if g.begin(l) {
		defer g.end()
		return alone()
	}
	select {
	case <-l.done:
		if errors.Is(l.Err, errNotSent) {
			return alone()
		}
		return l.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin reports whether the caller may make a round trip. If not, l waits.
func (g *lookupGroup) begin(l *Lookup) bool {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under < g.trips || now.Sub(g.progress) > lookupStall {
		g.under++
		g.progress = now
		return true
	}
	l.done = make(chan struct{})
	g.waiting = append(g.waiting, l)
	return false
}

// end ends a round trip. If lookups wait, it starts another for them.
func (g *lookupGroup) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.progress = time.Now()
	if len(g.waiting) == 0 || g.under > g.trips {
		g.under--
		return
	}
	batch := g.waiting
	g.waiting = nil
	if len(batch) > maxLookups {
		batch, g.waiting = batch[:maxLookups:maxLookups], batch[maxLookups:]
	}
	go g.share(batch)
}

// share sends a batch in one round trip.
func (g *lookupGroup) share(batch []*Lookup) {
	defer g.end()
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	for _, l := range batch {
		l.Err = errNotSent
		defer close(l.done)
	}
	if g.send(ctx, batch) != nil {
		for _, l := range batch {
			l.Err = errNotSent // those that succeeded may read again
		}
	}
}

// lookUp is [Statements.queryRow] for queries that read few rows by an index, and so
// may share a round trip.
func (s *Statements) lookUp(ctx context.Context, missing error, dest []any, query string, args ...any) error {
	if s.lookups == nil {
		return s.queryRow(ctx, missing, dest, query, args...)
	}
	err := s.run(ctx, query, func(ctx context.Context, on executor) error {
		return s.lookups.run(ctx, &Lookup{Query: query, Args: args, Dest: dest}, func() error {
			return on.QueryRowContext(ctx, query, args...).Scan(dest...)
		})
	})
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	return err
}
