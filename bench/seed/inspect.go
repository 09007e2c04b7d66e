package seed

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/store"
)

// Burden gives the first of so many users that number of sessions, with a context of 1 KiB
// each, and of logins.
func Burden(ctx context.Context, db *store.DB, rows, users int, now time.Time) error {
	d := dialect{db.Engine(), now, users}
	series := fmt.Sprintf(`WITH RECURSIVE series (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n < %d) `, rows)
	user, past, future := d.id("1", 0), d.time("n"), d.ahead(24*time.Hour)
	for _, s := range []string{
		`INSERT INTO sessions (id, user_id, title, context, created_at, updated_at) ` + series +
			`SELECT ` + d.id("n", 20) + `, ` + user + `, 'Kitchen', '{"notes":"` + fmt.Sprintf("%01024d", 0) + `"}', ` + past + `, ` + past + ` FROM series`,
		`INSERT INTO logins (id, user_id, counter, device, address, created_at, rotated_at, expires_at, sweep_at, network) ` + series +
			`SELECT ` + d.id("n", 21) + `, ` + user + `, 1, 'Firefox on Linux', '192.0.2.7', ` + past + `, ` + past + `, ` + future + `, ` + future + `, '' FROM series`,
	} {
		if _, err := db.Handle().ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Bytes returns the size of the database with its indexes.
func Bytes(ctx context.Context, db *store.DB) (n int64, err error) {
	if db.Engine() == store.PostgreSQL {
		return count(ctx, db, `SELECT pg_database_size(current_database())`)
	}
	return count(ctx, db, `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`)
}

// WithAccess returns how many users have a login that has not ended.
func WithAccess(ctx context.Context, db *store.DB, now time.Time) (int64, error) {
	return count(ctx, db, `SELECT COUNT(DISTINCT user_id) FROM logins WHERE revoked_at IS NULL AND expires_at > `+
		dialect{engine: db.Engine(), now: now}.ahead(0))
}

// Waiting returns how many accounts are to be made in Nextcloud.
func Waiting(ctx context.Context, db *store.DB) (int64, error) {
	return count(ctx, db, `SELECT COUNT(*) FROM nextcloud_accounts WHERE due_at IS NOT NULL`)
}

// Copy writes a copy of a SQLite database into a new file, while others may use it.
func Copy(ctx context.Context, db *store.DB, file string) error {
	_, err := db.Handle().ExecContext(ctx, `VACUUM INTO $1`, file)
	return err
}

func count(ctx context.Context, db *store.DB, query string) (n int64, err error) {
	err = db.Handle().QueryRowContext(ctx, query).Scan(&n)
	return n, err
}
