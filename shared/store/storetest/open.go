package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// SQLite returns a migrated store in a file of its own, closed when tb ends.
func SQLite(tb testing.TB) *store.DB {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "gateway.db")
	open := func() *store.DB {
		db, err := sqlite.Open(file)
		if err != nil {
			tb.Fatalf("open test store: %v", err)
		}
		return db
	}
	db := open()
	if _, err := migrations.Up(tb.Context(), db, migrations.Waiting{}); err != nil {
		tb.Fatalf("migrate test store: %v", err)
	}
	closing(tb, db)
	db = open() // which knows nothing of the schema yet, as one on PostgreSQL
	tb.Cleanup(func() { closing(tb, db) })
	return db
}

// Postgres returns a migrated store in a database of its own, dropped when tb
// ends. The TestMain of the package must call [Run].
func Postgres(tb testing.TB) *store.DB {
	tb.Helper()
	db := OpenPostgres(tb, PostgresURL(tb))
	tb.Cleanup(func() { closing(tb, db) })
	return db
}

// PostgresURL returns the URL of such a database, for programs that open it
// themselves.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	return FromTemplate(tb, migrate)
}

// Each runs test on each engine, in parallel, as a subtest named after it. With
// go test -short it runs on SQLite only, which needs no server.
func Each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	engines := map[string]func(testing.TB) *store.DB{store.SQLite: SQLite, store.PostgreSQL: Postgres}
	if testing.Short() {
		delete(engines, store.PostgreSQL)
	}
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// AtConsole runs fn in a transaction of the operator, who may do anything.
func AtConsole(tb testing.TB, db *store.DB, fn func(tx *store.Tx, by store.Actor) error) {
	tb.Helper()
	if err := db.Update(tb.Context(), func(tx *store.Tx) error { return fn(tx, tx.Operator()) }); err != nil {
		tb.Fatal(err)
	}
}

const conns = 8 // enough for tests that race

// OpenPostgres returns a store on the database that dsn names, as it is; the
// caller closes it.
func OpenPostgres(tb testing.TB, dsn string) *store.DB {
	tb.Helper()
	db, err := postgres.Open(secret.String(dsn), conns)
	if err != nil {
		tb.Fatalf("open test store: %v", err)
	}
	return db
}

func migrate(ctx context.Context, dsn string) error {
	db, err := postgres.Open(secret.String(dsn), 2) // the lock holds one, the migration runs on the other
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = migrations.Up(ctx, db, migrations.Waiting{})
	return err
}

func closing(tb testing.TB, db *store.DB) {
	tb.Helper()
	if err := db.Close(); err != nil {
		tb.Errorf("close test store: %v", err)
	}
}
