package postgres

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/voiceassist/gateway/shared/store"
)

// lookUp sends lookups in one round trip, by the pipeline of the extended protocol
// (PostgreSQL, section 55.2.4).
func lookUp(ctx context.Context, db *sql.DB, lookups []*store.Lookup) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		var b pgx.Batch
		for _, l := range lookups {
			b.Queue(l.Query, l.Args...)
		}
		results := c.(*stdlib.Conn).Conn().SendBatch(ctx, &b)
		for _, l := range lookups {
			l.Err = results.QueryRow().Scan(l.Dest...)
			if errors.Is(l.Err, pgx.ErrNoRows) {
				l.Err = sql.ErrNoRows
			}
		}
		return results.Close()
	})
}
