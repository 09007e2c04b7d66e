package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Explain returns how the engine executes the statements of fn, which it runs on a
// DB without transactions. PostgreSQL reads a whole table only if no index serves.
func Explain(db *DB, fn func(db *DB) error) (plans string, err error) {
	conn, err := db.sql.Conn(context.Background())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	e := &explainer{Conn: conn, prefix: "EXPLAIN QUERY PLAN "}
	if db.Engine() == PostgreSQL {
		e.prefix = "EXPLAIN (COSTS OFF) "
		for _, setting := range []string{"enable_seqscan = off", "enable_sort = off"} {
			if _, err := conn.ExecContext(context.Background(), "SET "+setting); err != nil {
				return "", err
			}
		}
		defer conn.ExecContext(context.Background(), "RESET ALL")
	}
	err = fn(&DB{Statements: Statements{on: e, dialect: db.dialect, checkSchema: skipCheck}, sql: db.sql, reads: db.reads})
	return e.plans.String(), err
}

// An explainer is a connection that explains the statements that it executes.
type explainer struct {
	*sql.Conn

	prefix string
	plans  strings.Builder
}

func (e *explainer) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	e.explain(ctx, query, args)
	return e.Conn.ExecContext(ctx, query, args...)
}

func (e *explainer) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	e.explain(ctx, query, args)
	return e.Conn.QueryContext(ctx, query, args...)
}

func (e *explainer) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	e.explain(ctx, query, args)
	return e.Conn.QueryRowContext(ctx, query, args...)
}

// explain adds the plan of a query, whose lines are the last columns.
func (e *explainer) explain(ctx context.Context, query string, args []any) {
	rows, err := e.Conn.QueryContext(ctx, e.prefix+query, args...)
	if err != nil {
		fmt.Fprintln(&e.plans, err)
		return
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	row := make([]any, len(columns))
	for i := range row {
		row[i] = new(any)
	}
	var line string
	row[len(row)-1] = &line
	for rows.Next() {
		if err := rows.Scan(row...); err != nil {
			line = err.Error()
		}
		fmt.Fprintln(&e.plans, line)
	}
	if err := rows.Err(); err != nil {
		fmt.Fprintln(&e.plans, err)
	}
}
