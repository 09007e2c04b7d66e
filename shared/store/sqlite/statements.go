package sqlite

import (
	"context"
	"database/sql/driver"
	"strings"

	"modernc.org/sqlite"
)

// maxStatements bounds the prepared statements of a connection. The store has fewer
// queries than that.
const maxStatements = 512

// A connector opens connections that keep their prepared statements.
type connector struct{ name string }

// Connect implements [driver.Connector].
func (c connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.Driver().Open(c.name)
	if err != nil {
		return nil, err
	}
	return &conn{engineConn: opened.(engineConn), idle: map[string]driver.Stmt{}}, nil
}

// Driver implements [driver.Connector].
func (connector) Driver() driver.Driver { return &sqlite.Driver{} }

// A conn parses and plans a query once: it keeps the prepared statements, which
// database/sql would prepare for each call. One goroutine uses it at a time.
type conn struct {
	engineConn
	idle map[string]driver.Stmt // by query; does not hold statements in use
}

// engineConn is what a connection of the driver implements.
type engineConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// ExecContext implements [driver.ExecerContext]. It does not keep scripts, which have a
// semicolon after each statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if strings.Contains(query, ";") {
		return c.engineConn.ExecContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.(driver.StmtExecContext).ExecContext(ctx, args)
	if err != nil {
		s.Close()
		return nil, err
	}
	return result, c.put(query, s)
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		s.Close()
		return nil, err
	}
	return &rows{Rows: r, close: func() error { return c.put(query, s) }}, nil
}

// take returns a prepared statement that nobody uses.
func (c *conn) take(ctx context.Context, query string) (driver.Stmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	return c.PrepareContext(ctx, query)
}

// put keeps s for the next call of take.
func (c *conn) put(query string, s driver.Stmt) error {
	if _, ok := c.idle[query]; ok || len(c.idle) == maxStatements {
		return s.Close()
	}
	c.idle[query] = s
	return nil
}

// Close implements [driver.Conn].
func (c *conn) Close() error {
	for _, s := range c.idle {
		s.Close()
	}
	return c.engineConn.Close()
}

// rows are the result of a kept statement.
type rows struct {
	driver.Rows
	close func() error
}

// Close implements [driver.Rows].
func (r *rows) Close() error {
	if err := r.Rows.Close(); err != nil {
		return err
	}
	return r.close()
}
