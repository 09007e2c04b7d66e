package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/postgres"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// SQLite returns a migrated store in a new file. It is closed when tb ends.
func SQLite(tb testing.TB) *store.DB {
	tb.Helper()
	content, err := migratedFile()
	if err != nil {
		tb.Fatalf("migrate test store: %v", err)
	}
	file := filepath.Join(tb.TempDir(), "gateway.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	db, err := sqlite.Open(file)
	if err != nil {
		tb.Fatalf("open test store: %v", err)
	}
	tb.Cleanup(func() { closing(tb, db) })
	return db
}

// migratedFile returns the content of a migrated SQLite database. It migrates once in a
// test process, because that takes longer than many tests.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "storetest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "gateway.db")
	db, err := sqlite.Open(file)
	if err != nil {
		return nil, err
	}
	_, err = migrations.Up(context.Background(), db, migrations.LockWait{})
	// Close moves the write-ahead log into the file.
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// Postgres returns a migrated store in a new database, which is dropped when tb
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

// AsOperator runs fn in a transaction of the operator, who may do anything.
func AsOperator(tb testing.TB, db *store.DB, fn func(tx *store.Tx, by store.Actor) error) {
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
	if _, err = migrations.Up(ctx, db, migrations.LockWait{}); err != nil {
		return err
	}
	if percent, err := strconv.Atoi(os.Getenv(conflictsVariable)); err == nil {
		return addConflicts(ctx, dsn, percent)
	}
	return nil
}

// conflictsVariable is the environment variable that turns on [Conflicts] in every database
// on PostgreSQL: make conflicts.
const conflictsVariable = "TEST_CONFLICTS"

func closing(tb testing.TB, db *store.DB) {
	tb.Helper()
	if err := db.Close(); err != nil {
		tb.Errorf("close test store: %v", err)
	}
}
