// Package seed fills the tables that grow with the number of users, by statements within
// the database, for measurements: a million users take a minute or two.
//
// Start with [Fill].
package seed

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// PerSecondFactor is the share of users who have a second factor: those whose number is a
// multiple of it.
const PerSecondFactor = 10

// The share of users who have what not everybody has: one of so many.
const (
	perKey   = 10
	perMail  = 10
	perToken = 20
)

// A seed is what one table is filled with. Both engines run the same statements, except
// for the functions that make ids, times and bytes.
type seed struct {
	table, columns string
	per            int    // rows for each user
	every          int    // of so many users, if not 0
	values         string // a SELECT list, in terms of n, the number of the user, and row, that of the row
}

// seeds returns those of all tables that grow with the number of users.
func seeds(d dialect, hash string) []seed { //nolint:funlen // a table
	user, row := d.id("n", 0), func(table int) string { return d.id("row", table) }
	const given, family = `'given' || (n * 7919 % 5003)`, `'family' || (n * 104729 % 20011)`
	name := given + ` || ' ' || ` + family
	email := given + ` || '.' || ` + family + ` || '.' || n || '@example.org'`
	past, future, recent := d.time("n"), d.ahead(30*24*time.Hour), d.ahead(-12*time.Hour)
	expiry := `CASE WHEN row % 2 = 0 THEN ` + future + ` ELSE ` + recent + ` END`
	return []seed{
		{
			table: "users", per: 1,
			columns: `id, email, canonical_email, canonical_of, full_name, role, preferences, password_hash, search, indexed_search,
				created_at, updated_at, session_bound, second_factor_at`,
			values: strings.Join([]string{
				user, email, email, email, name, `'user'`, `'{"theme":"dark","language":"en"}'`, `'` + hash + `'`,
				email + ` || ' ' || ` + name, email + ` || ' ' || ` + name, past, past, "2",
				`CASE WHEN n % ` + strconv.Itoa(PerSecondFactor) + ` = 0 THEN ` + past + ` END`,
			}, ", "),
		},
		{
			table: "logins", per: 2,
			columns: `id, user_id, counter, device, address, created_at, rotated_at, expires_at, sweep_at, network`,
			values: strings.Join([]string{
				row(1), user, strconv.Itoa(Counter), `'Firefox on Linux'`, `'192.0.2.7'`, past, past,
				expiry, expiry, `'192.0.2.7'`,
			}, ", "),
		},
		{
			table: "sessions", per: 2, columns: `id, user_id, title, context, created_at, updated_at`,
			values: strings.Join([]string{row(2), user, `'Kitchen ' || row`, `'{"room":"kitchen"}'`, past, past}, ", "),
		},
		{
			table: "search_keys", per: 3, columns: `user_id, key`,
			values: user + `, ` + d.bytes(`CASE row % 3 WHEN 0 THEN `+email+` WHEN 1 THEN `+name+` ELSE `+family+` || ' ' || `+given+` END`),
		},
		{
			table: "audit_events", per: 3,
			columns: `id, at, event, user_id, address, device, correlation_id, detail, seq, hash, mac`,
			values: strings.Join([]string{
				row(3), past, `CASE row % 3 WHEN 0 THEN 'registered' ELSE 'logged_in' END`, user, `'192.0.2.7'`, `'Firefox on Linux'`, `'request-' || row`, `''`,
				"row", d.bytes(`'the hash of an event, of 32 bytes'`), d.bytes(`'the seal of an event, of 36 bytes'`),
			}, ", "),
		},
		{
			table: "nextcloud_accounts", per: 1,
			columns: `user_id, nextcloud_id, wish, email, full_name, quota, first_password, version, owned, status, attempts, last_error,
				last_synced_at, used_bytes, total_bytes, used_at, created_at, updated_at, app_password, personal, set_quota`,
			values: strings.Join([]string{
				user, email, `'present'`, email, name, `'5 GB'`, d.bytes(`'a sealed password of about sixty bytes, as they are stored'`),
				"1", "TRUE", `'active'`, "1", `''`, past, "n", "5368709120", past, past, past,
				d.bytes(`'a sealed password of about sixty bytes, as they are stored'`), "TRUE", `'5 GB'`,
			}, ", "),
		},
		{
			table: "nextcloud_app_passwords", per: 1, every: perKey, columns: `id, user_id, name, app_password, created_at`,
			values: strings.Join([]string{row(4), user, `'laptop'`, d.bytes(`'a sealed password of about sixty bytes, as they are stored'`), past}, ", "),
		},
		{
			table: "api_keys", per: 1, every: perKey, columns: `id, user_id, digest, prefix, name, scopes, created_at`,
			values: strings.Join([]string{row(5), user, d.bytes(`'the digest of a key, number ' || n`), `'va_12345678'`, `'script'`, `'files:read'`, past}, ", "),
		},
		{
			table: "link_tokens", per: 1, every: perToken, columns: `id, user_id, purpose, slot, bound, created_at, expires_at`,
			values: strings.Join([]string{row(6), user, `'reset'`, `''`, `'what the token depends on'`, past, future}, ", "),
		},
		{
			table: "mails", per: 1, every: perMail,
			columns: `id, user_id, kind, recipient, mailbox, language, data, created_at, attempts, outcome, finished_at`,
			values:  strings.Join([]string{row(7), user, `'reset'`, email, email, `'en'`, `'{}'`, past, "1", `'sent'`, recent}, ", "),
		},
		{
			table: "second_factors", per: 1, every: PerSecondFactor, columns: `user_id, id, secret, created_at`,
			values: strings.Join([]string{user, row(8), d.bytes(`'a sealed secret'`), past}, ", "),
		},
		{
			table: "backup_codes", per: 8, every: PerSecondFactor, columns: `user_id, hash`,
			values: user + ", " + d.bytes(`'a hash of a backup code, number ' || row`),
		},
	}
}

// statement returns the statement that fills the table for so many users.
func (s seed) statement(users int) string {
	every := max(s.every, 1)
	return fmt.Sprintf(`
		INSERT INTO %s (%s)
		WITH RECURSIVE series (row) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT row + 1 FROM series WHERE row < %d)
		SELECT %s FROM (SELECT row, ((row - 1) / %d + 1) * %d AS n FROM series) AS numbers`,
		s.table, s.columns, users/every*s.per, s.values, s.per, every)
}

// Email returns the address of the user of that number, from 1 on.
func Email(n int) string {
	return fmt.Sprintf("given%d.family%d.%d@example.org", n*7919%5003, n*104729%20011, n)
}

// Name returns the name of the user of that number.
func Name(n int) string { return fmt.Sprintf("given%d family%d", n*7919%5003, n*104729%20011) }

// A dialect makes values of an engine. Users joined one every 20 seconds, until now.
type dialect struct {
	engine string
	now    time.Time
	users  int
}

const joinInterval = 20 * time.Second

// id returns an expression for an id like those of the gateway: it begins with the
// time. n is an expression for a number, and table distinguishes ids of the same number.
func (d dialect) id(n string, table int) string {
	millis := fmt.Sprintf("(%d + %s)", d.now.UnixMilli()-int64(1000*d.users), n)
	if d.engine == store.PostgreSQL {
		return fmt.Sprintf(`CAST(lpad(to_hex(%[1]s), 12, '0') || '7' || lpad(to_hex(%[2]s %% 4096), 3, '0') || '8%03[3]x' || lpad(to_hex(%[2]s), 12, '0') AS uuid)`,
			millis, n, table)
	}
	return fmt.Sprintf(`printf('%%08x-%%04x-7%%03x-8%03[3]x-%%012x', %[1]s / 65536, %[1]s %% 65536, %[2]s %% 4096, %[2]s)`, millis, n, table)
}

// time returns an expression for when the user of that number joined.
func (d dialect) time(n string) string {
	first := d.now.Add(-joinInterval * time.Duration(d.users))
	return d.micros(fmt.Sprintf("(%d + %s * %d)", first.UnixMicro(), n, joinInterval.Microseconds()))
}

// ahead returns an expression for a time from now.
func (d dialect) ahead(by time.Duration) string {
	return d.micros(strconv.FormatInt(d.now.Add(by).UnixMicro(), 10))
}

func (d dialect) micros(expression string) string {
	if d.engine == store.PostgreSQL {
		return `to_timestamp(` + expression + ` / 1e6)`
	}
	return expression
}

func (d dialect) bytes(text string) string {
	if d.engine == store.PostgreSQL {
		return `convert_to(` + text + `, 'UTF8')`
	}
	return `CAST(` + text + ` AS BLOB)`
}

// Fill fills the tables for so many users, whose passwords have that hash. The last one
// joins now. The database must be empty, and nobody else may use it meanwhile.
func Fill(ctx context.Context, db *store.DB, users int, hash secret.String, now time.Time) error {
	conn, err := db.Handle().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	before, after, err := withoutIndexes(ctx, conn, db.Engine())
	if err != nil {
		return err
	}
	statements := before
	for _, s := range seeds(dialect{db.Engine(), now, users}, hash.Reveal()) {
		statements = append(statements, s.statement(users))
	}
	for _, s := range append(statements, after...) {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%w: %s", err, s)
		}
	}
	return nil
}

// User returns the id of the user of that number among so many, of whom the last one
// joined now.
func User(n, users int, now time.Time) account.ID { return account.ID(idOf(n, 0, users, now)) }

// Login returns the id of a login of that user which has not expired. Its counter is
// [Counter].
func Login(n, users int, now time.Time) signin.ID { return signin.ID(idOf(2*n, 1, users, now)) }

// Counter is that of every login.
const Counter = 3

// idOf returns the id that the expression of dialect.id has for a row.
func idOf(row, table, users int, now time.Time) string {
	millis := now.UnixMilli() - int64(1000*users) + int64(row)
	return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", millis>>16, millis&0xffff, row%4096, table, row)
}

// withoutIndexes returns the statements to run before tables are filled and afterwards, so
// that indexes are built at once and foreign keys are not checked.
func withoutIndexes(ctx context.Context, conn *sql.Conn, engine string) (before, after []string, err error) {
	if engine == store.PostgreSQL {
		const ours = ` WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')`
		return []string{`SET session_replication_role = replica`, `SET maintenance_work_mem = '1GB'`, `UPDATE pg_index SET indisready = FALSE` + ours},
			[]string{`UPDATE pg_index SET indisready = TRUE` + ours, `REINDEX SCHEMA public`, `VACUUM ANALYZE`, `RESET ALL`}, nil
	}
	indexes, err := definitions(ctx, conn)
	before = []string{`PRAGMA foreign_keys = off`, `PRAGMA synchronous = off`, `PRAGMA cache_size = -1000000`}
	for name, definition := range indexes {
		before, after = append(before, `DROP INDEX `+name), append(after, definition)
	}
	return before, append(after, `PRAGMA wal_checkpoint(truncate)`, `PRAGMA cache_size = -2000`, `PRAGMA synchronous = full`, `PRAGMA foreign_keys = on`), err
}

// definitions returns the statements that create the indexes of a SQLite database, by
// their names.
func definitions(ctx context.Context, conn *sql.Conn) (map[string]string, error) {
	rows, err := conn.QueryContext(ctx, `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return nil, err
		}
		found[name] = definition
	}
	return found, rows.Err()
}
