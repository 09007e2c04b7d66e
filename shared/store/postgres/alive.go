package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// When a connection that was not used for a while is still believed. A process
// on Lambda is frozen between two events: its timers stand still, and what is in
// between forgets its connections, with a word or without one.
const (
	pingAfter   = time.Second // of rest, a question whether the server is there
	pingTimeout = time.Second // for its answer; no line that works takes as long
)

// alive are the options that keep a statement from a connection that died in
// the pool: one that the server closed is noticed without asking it, one that
// rested is asked, and one that rested longer than connIdle is not even asked,
// as a line that swallows everything would keep the request for pingTimeout.
func alive() []stdlib.OptionOpenDB {
	return []stdlib.OptionOpenDB{
		stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
			registerTypes(c)
			use(c)
			return nil
		}),
		stdlib.OptionShouldPing(func(ctx context.Context, p stdlib.ShouldPingParams) bool {
			return !lives(ctx, p.Conn) // the ping of a closed connection fails at once, and the pool takes another
		}),
		stdlib.OptionResetSession(func(_ context.Context, c *pgx.Conn) error {
			use(c)
			return nil
		}),
	}
}

// lives reports whether a statement may be sent on c, and closes it otherwise.
func lives(ctx context.Context, c *pgx.Conn) bool {
	rest := rested(c)
	if rest < connIdle && !hungUp(c.PgConn().Conn()) {
		if rest < pingAfter {
			return true
		}
		ctx, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		if c.Ping(ctx) == nil {
			return true
		}
	}
	c.Close(ctx)
	return false
}

const lastUse = "last use" // of a connection, in its CustomData

// use notes that c is taken from the pool. The monotonic clock is no help: it
// may stand still while the process is frozen.
func use(c *pgx.Conn) { c.PgConn().CustomData()[lastUse] = time.Now().Round(0) }

// rested returns how long ago c was taken from the pool.
func rested(c *pgx.Conn) time.Duration {
	at, _ := c.PgConn().CustomData()[lastUse].(time.Time)
	return time.Now().Round(0).Sub(at)
}

// registerTypes tells pgx the PostgreSQL types of what statements here send. It
// needs them only for default_query_exec_mode=exec, and brings some hundred,
// which functions leave out (the build tag nopgxregisterdefaulttypes).
func registerTypes(c *pgx.Conn) {
	types := c.TypeMap()
	for name, value := range map[string]any{
		"bool": false, "bytea": []byte(nil), "int8": int64(0), "text": "", "timestamptz": time.Time{},
	} {
		types.RegisterDefaultPgType(value, name)
	}
	types.RegisterDefaultPgType(0, "int8")
}
