package postgres

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A pooler says whether a transaction pooler, such as PgBouncer or RDS Proxy, is between
// the gateway and the server. These are the values of DATABASE_POOLER.
type pooler string

const (
	findOut pooler = "auto"
	pooled  pooler = "true"
	direct  pooler = "false"
)

// A target opens connections with the best way to run statements. On a direct connection,
// the server keeps prepared statements, so that it parses and plans each once. A pooler may
// give every transaction another connection to the server, which does not have them; there,
// the target keeps only their descriptions, which costs no round trip either.
type target struct {
	prepared, described driver.Connector

	findOut bool
	pooled  atomic.Bool
}

func newTarget(c *pgx.ConnConfig, p pooler, lost *primaryLoss) *target {
	connector := func(mode pgx.QueryExecMode) driver.Connector {
		c := c.Copy()
		c.DefaultQueryExecMode = mode
		return stdlib.GetConnector(*c, healthCheckOptions(lost)...)
	}
	t := &target{
		prepared:  connector(pgx.QueryExecModeCacheStatement),
		described: connector(pgx.QueryExecModeCacheDescribe),
		findOut:   p == findOut,
	}
	t.pooled.Store(p == pooled)
	return t
}

// Connect implements [driver.Connector]. Once it has found a pooler, it does not look again.
func (t *target) Connect(ctx context.Context) (driver.Conn, error) {
	if t.pooled.Load() {
		return t.described.Connect(ctx)
	}
	conn, err := t.prepared.Connect(ctx)
	if err != nil || !t.findOut {
		return conn, err
	}
	found, err := throughPooler(ctx, conn.(*stdlib.Conn).Conn())
	if err == nil && !found {
		return conn, nil
	}
	conn.Close()
	if err != nil {
		return nil, fmt.Errorf("look for a pooler: %w", err)
	}
	t.pooled.Store(true)
	return t.described.Connect(ctx)
}

// Driver implements [driver.Connector].
func (t *target) Driver() driver.Driver { return t.prepared.Driver() }

// throughPooler reports whether the process that runs statements is not the one that
// accepted the connection (PostgreSQL, BackendKeyData).
func throughPooler(ctx context.Context, c *pgx.Conn) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, connTimeout)
	defer cancel()
	// This way prepares no named statement.
	result := c.PgConn().ExecParams(ctx, "SELECT pg_backend_pid()::text", nil, nil, nil, nil).Read()
	if result.Err != nil {
		return false, result.Err
	}
	pid, err := strconv.ParseUint(string(result.Rows[0][0]), 10, 32)
	return uint32(pid) != c.PgConn().PID(), err
}
