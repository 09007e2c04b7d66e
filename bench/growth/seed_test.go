package growth_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// The share of users who have what not everybody has: one of so many.
const (
	perSecondFactor = 10 // those whose number is a multiple of it
	perKey          = 10
	perMail         = 10
	perToken        = 20
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
func seeds(d dialect, hash string) []seed {
	user, row := d.id("n", 0), func(table int) string { return d.id("row", table) }
	const given, family = `'given' || (n * 7919 % 5003)`, `'family' || (n * 104729 % 20011)`
	name := given + ` || ' ' || ` + family
	email := given + ` || '.' || ` + family + ` || '.' || n || '@example.org'`
	past, future, recent := d.time("n"), d.ahead(30*24*time.Hour), d.ahead(-12*time.Hour)
	return []seed{
		{
			table: "users", per: 1,
			columns: `id, email, canonical_email, canonical_of, full_name, role, preferences, password_hash, search, indexed_search,
				created_at, updated_at, session_bound, second_factor_at`,
			values: strings.Join([]string{
				user, email, email, email, name, `'user'`, `'{"theme":"dark","language":"en"}'`, `'` + hash + `'`,
				email + ` || ' ' || ` + name, email + ` || ' ' || ` + name, past, past, "2",
				`CASE WHEN n % ` + strconv.Itoa(perSecondFactor) + ` = 0 THEN ` + past + ` END`,
			}, ", "),
		},
		{
			table: "logins", per: 2,
			columns: `id, user_id, counter, device, address, created_at, rotated_at, expires_at, network`,
			values: strings.Join([]string{
				row(1), user, "3", `'Firefox on Linux'`, `'192.0.2.7'`, past, past,
				`CASE WHEN row % 2 = 0 THEN ` + future + ` ELSE ` + recent + ` END`, `'192.0.2.7'`,
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
			table: "second_factors", per: 1, every: perSecondFactor, columns: `user_id, id, secret, created_at`,
			values: strings.Join([]string{user, row(8), d.bytes(`'a sealed secret'`), past}, ", "),
		},
		{
			table: "backup_codes", per: 8, every: perSecondFactor, columns: `user_id, hash`,
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

// emailOf returns the address of the user of that number.
func emailOf(n int) string {
	return fmt.Sprintf("given%d.family%d.%d@example.org", n*7919%5003, n*104729%20011, n)
}

// nameOf returns the name of the user of that number.
func nameOf(n int) string { return fmt.Sprintf("given%d family%d", n*7919%5003, n*104729%20011) }

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

// fill fills the tables for so many users, whose password is [functionstest.Password].
// The database must be empty.
func fill(tb testing.TB, db *store.DB, users int, now time.Time) {
	tb.Helper()
	conn, err := db.Handle().Conn(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	exec := func(statements ...string) {
		tb.Helper()
		for _, s := range statements {
			if _, err := conn.ExecContext(tb.Context(), s); err != nil {
				tb.Fatalf("%v: %s", err, s)
			}
		}
	}
	hash := hashOf(tb)
	before, after := withoutIndexes(tb, conn, db.Engine())
	exec(before...)
	for _, s := range seeds(dialect{db.Engine(), now, users}, hash) {
		exec(s.statement(users))
	}
	exec(after...)
}

// withoutIndexes returns the statements to run before tables are filled and afterwards, so
// that indexes are built at once and foreign keys are not checked.
func withoutIndexes(tb testing.TB, conn *sql.Conn, engine string) (before, after []string) {
	tb.Helper()
	if engine == store.PostgreSQL {
		const ours = ` WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')`
		return []string{`SET session_replication_role = replica`, `SET maintenance_work_mem = '1GB'`, `UPDATE pg_index SET indisready = FALSE` + ours},
			[]string{`UPDATE pg_index SET indisready = TRUE` + ours, `REINDEX SCHEMA public`, `VACUUM ANALYZE`, `RESET ALL`}
	}
	before = []string{`PRAGMA foreign_keys = off`, `PRAGMA synchronous = off`, `PRAGMA cache_size = -1000000`}
	for name, definition := range definitions(tb, conn) {
		before, after = append(before, `DROP INDEX `+name), append(after, definition)
	}
	return before, append(after, `PRAGMA wal_checkpoint(truncate)`, `PRAGMA cache_size = -2000`, `PRAGMA synchronous = full`, `PRAGMA foreign_keys = on`)
}

// definitions returns the statements that create the indexes of a SQLite database, by
// their names.
func definitions(tb testing.TB, conn *sql.Conn) map[string]string {
	tb.Helper()
	rows, err := conn.QueryContext(tb.Context(), `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			tb.Fatal(err)
		}
		found[name] = definition
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return found
}

// hashOf returns a hash of [functionstest.Password], which costs as little as those of
// functionstest.
func hashOf(tb testing.TB) (hash string) {
	tb.Helper()
	db := storetest.SQLite(tb)
	g := functionstest.New(tb, db)
	g.Register(functionstest.Email, functionstest.Password)
	_, secret, _, err := db.AccountForLogin(tb.Context(), account.Email(functionstest.Email).Lookup(), "")
	if err != nil {
		tb.Fatal(err)
	}
	return secret.Reveal()
}

// TestFill checks that the tables contain what the gateway would have written.
func TestFill(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const users = 40
		fill(t, db, users, time.Now())
		ctx := context.Background()
		found, err := db.SearchAccounts(ctx, "given", store.Page{Limit: users + 1})
		if err != nil || len(found) != users {
			t.Fatalf("found %d accounts, %v; want %d", len(found), err, users)
		}
		for n := 1; n <= users; n++ {
			a, _, err := db.AccountByEmail(ctx, account.Email(emailOf(n)).Lookup())
			if err != nil || a.FullName != nameOf(n) {
				t.Fatalf("account %d is %+v, %v", n, a, err)
			}
			var keys []string
			for _, prefix := range account.SearchKeys(a.Email, a.FullName) {
				list, err := db.SearchAccounts(ctx, prefix, store.Page{Limit: users})
				if err != nil || !slices.ContainsFunc(list, func(f store.Found) bool { return f.ID == a.ID }) {
					t.Errorf("a search for %q does not find account %d: %v", prefix, n, err)
				}
				keys = append(keys, prefix)
			}
			if len(keys) != 3 {
				t.Errorf("account %d has the keys %q, want three", n, keys)
			}
		}
		if err := db.IndexAccounts(ctx); err != nil {
			t.Fatal(err)
		}
		if lacking, err := db.CanonicalizeEmails(ctx); err != nil || len(lacking) > 0 {
			t.Errorf("got %v, %v", lacking, err)
		}
	})
}
