package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// How long an idle connection is trusted. A Lambda process is frozen between two events:
// its timers stand still, and devices in between drop its connections, with or without
// notice.
const (
	pingAfter   = time.Second // of idle time before a ping
	pingTimeout = time.Second // for the response to a ping; a working connection needs far less
)

// healthCheckOptions returns options that keep statements off connections that died in the
// pool. A connection that the server closed is noticed without a round trip. One that was
// idle for pingAfter is pinged. One that was idle for connIdle is closed without a ping,
// because a network that drops packets would delay the request by pingTimeout. One that was
// opened before the primary was lost is closed, too.
func healthCheckOptions(lost *primaryLoss) []stdlib.OptionOpenDB {
	return []stdlib.OptionOpenDB{
		stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
			registerTypes(c)
			use(c)
			lost.opened(c)
			return nil
		}),
		stdlib.OptionShouldPing(func(ctx context.Context, p stdlib.ShouldPingParams) bool {
			// The ping of a closed connection fails at once, and the pool takes another.
			return lost.before(ctx, p.Conn) || !healthy(ctx, p.Conn)
		}),
		stdlib.OptionResetSession(func(_ context.Context, c *pgx.Conn) error {
			use(c)
			return nil
		}),
	}
}

// healthy reports whether c can carry a statement. If not, it closes c.
func healthy(ctx context.Context, c *pgx.Conn) bool {
	rest := idleTime(c)
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

// use records that c was taken from the pool. It uses the wall clock, because the
// monotonic clock may stand still while the process is frozen.
func use(c *pgx.Conn) { c.PgConn().CustomData()[lastUse] = time.Now().Round(0) }

// idleTime returns how long ago c was taken from the pool.
func idleTime(c *pgx.Conn) time.Duration {
	at, _ := c.PgConn().CustomData()[lastUse].(time.Time)
	return time.Now().Round(0).Sub(at)
}

// registerTypes registers the PostgreSQL types of the values that our statements send. pgx
// needs them only for default_query_exec_mode=exec. Functions leave out pgx's own hundred
// or so (build tag nopgxregisterdefaulttypes).
func registerTypes(c *pgx.Conn) {
	types := c.TypeMap()
	for name, value := range map[string]any{
		"bool": false, "bytea": []byte(nil), "int8": int64(0), "text": "", "timestamptz": time.Time{},
	} {
		types.RegisterDefaultPgType(value, name)
	}
	types.RegisterDefaultPgType(0, "int8")
}
