//go:build !unix

package storetest

import (
	"errors"
	"testing"
)

func startServer() (*server, error) {
	return nil, errors.New("a throw-away cluster needs a Unix; set TEST_DATABASE_URL to a server's URL")
}

// StartDurable fails on this system.
func StartDurable() (dsn string, stop func(), err error) {
	_, err = startServer()
	return "", nil, err
}

// A Killable is a server that can be killed; see killable_unix.go.
type Killable struct{}

// NewKillable starts a server where there can be one.
func NewKillable(tb testing.TB) *Killable {
	tb.Helper()
	tb.Fatal("PostgreSQL does not run here")
	return nil
}

// URL returns that of the database.
func (*Killable) URL() string { return "" }

// Kill ends the server.
func (*Killable) Kill() {}

// KillSession kills a session.
func (*Killable) KillSession() {}

// Start starts the server again.
func (*Killable) Start() {}

// PoolerConns is how many connections to the server a [Pooler] has.
const PoolerConns = 3

// Pooler runs PgBouncer where there is one; see pooler_unix.go.
func Pooler(tb testing.TB, _ string) string {
	tb.Helper()
	tb.Fatal("PgBouncer does not run here")
	return ""
}

// A KillablePooler is a pooler that can be killed; see pooler_unix.go.
type KillablePooler struct{}

// NewKillablePooler starts PgBouncer where there is one.
func NewKillablePooler(tb testing.TB, dsn string) *KillablePooler {
	tb.Helper()
	Pooler(tb, dsn)
	return nil
}

// URL returns that of the database through the pooler.
func (*KillablePooler) URL() string { return "" }

// Kill ends the pooler.
func (*KillablePooler) Kill() {}

// Start starts the pooler again.
func (*KillablePooler) Start() {}

// A Pair is a server with a standby; see pair_unix.go.
type Pair struct{}

// NewPair starts servers where there can be some.
func NewPair(tb testing.TB) *Pair {
	tb.Helper()
	tb.Fatal("PostgreSQL does not run here")
	return nil
}

// URL returns that of the database on the primary.
func (*Pair) URL() string { return "" }

// StandbyURL returns that of the database on the standby.
func (*Pair) StandbyURL() string { return "" }

// Kill ends the primary.
func (*Pair) Kill() {}

// SetReadOnly makes the primary refuse changes.
func (*Pair) SetReadOnly() {}

// Promote makes the standby the primary.
func (*Pair) Promote() {}

// Rejoin makes the other server a standby.
func (*Pair) Rejoin() {}
