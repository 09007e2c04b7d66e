package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// empty returns the URL of a database without a schema.
func empty(t *testing.T) string {
	t.Helper()
	return storetest.FromTemplate(t, func(context.Context, string) error { return nil })
}

// old returns a store on PostgreSQL before the migration that changes
// audit_events, and its URL.
func old(t *testing.T) (*store.DB, string) {
	t.Helper()
	url := empty(t)
	db := storetest.OpenPostgres(t, url)
	t.Cleanup(func() { db.Close() })
	upTo(t, goose.DialectPostgres, db, before)
	return db, url
}

// upTo applies the migrations up to the version.
func upTo(t *testing.T, dialect goose.Dialect, db *store.DB, version int64) {
	t.Helper()
	p, err := goose.NewProvider(dialect, db.Handle(), os.DirFS(db.Engine()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

const before = 6 // the last migration before audit_events changes

// session opens a session whose application is "a report", and runs sql in it.
func session(t *testing.T, url string, statements ...string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = "a report"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	run(t, conn, statements...)
	return conn
}

func run(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUp_ReportsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		take, give    []string
		want, applied string
	}{
		{
			"another migration", []string{"SELECT pg_advisory_lock(4097083626)"}, []string{"SELECT pg_advisory_unlock(4097083626)"},
			"waiting for another migration, which process ", `application "a report", state "idle"`,
		},
		{
			"a table that a transaction has read", []string{"BEGIN", "SELECT count(*) FROM audit_events"}, []string{"COMMIT"},
			"waiting for a lock on table audit_events, which process ", `application "a report", state "idle in transaction"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db, url := old(t)
			other := session(t, url, tt.take...)
			reported := make(chan string, 1)
			type outcome struct {
				applied int
				err     error
			}
			done := make(chan outcome)
			go func() {
				n, err := migrations.Up(t.Context(), db, migrations.LockWait{Report: func(line string) { reported <- line }})
				done <- outcome{n, err}
			}()
			if line := <-reported; !strings.HasPrefix(line, tt.want) || !strings.Contains(line, tt.applied) || !strings.Contains(line, "since ") {
				t.Errorf("reported %q, want %q and %q", line, tt.want, tt.applied)
			}
			run(t, other, tt.give...)
			if got := <-done; got.err != nil || got.applied != store.SchemaVersion-before {
				t.Errorf("after the release: %d applied, %v; want %d", got.applied, got.err, store.SchemaVersion-before)
			}
		})
	}
}

func TestUp_TimesOutAndNamesTheBlocker(t *testing.T) {
	t.Parallel()
	db, url := old(t)
	const wait = 4 * time.Second // enough for some waits of one second
	other := session(t, url, "BEGIN", "LOCK TABLE audit_events IN SHARE MODE")
	n, err := migrations.Up(t.Context(), db, migrations.LockWait{Longest: wait})
	if n != 0 || !db.Locked(err) || !strings.Contains(err.Error(), `migrate up: waiting for a lock on table audit_events`) {
		t.Errorf("got %d, %v; want a timeout", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	report := func(string) { cancel() } // during the wait
	if _, err := migrations.Up(ctx, db, migrations.LockWait{Report: report}); !errors.Is(err, context.Canceled) ||
		!strings.Contains(err.Error(), "audit_events") || !strings.Contains(err.Error(), "canceling statement due to user request") {
		t.Errorf("canceled: got %v, want the blocker named, and the statement canceled by the server", err)
	}
	run(t, other, "COMMIT")
	if n, err := migrations.Up(t.Context(), db, migrations.LockWait{}); n != store.SchemaVersion-before || err != nil {
		t.Errorf("after the release: %d applied, %v", n, err)
	}
}

// TestUp_DoesNotBlockOthers checks that a migration waiting for a table does not block all
// other sessions from it in the meantime.
func TestUp_DoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	db, url := old(t)
	long := session(t, url, "BEGIN", "SELECT count(*) FROM audit_events")
	reported, done := make(chan string, 1), make(chan error)
	go func() {
		_, err := migrations.Up(t.Context(), db, migrations.LockWait{Report: func(line string) { reported <- line }})
		done <- err
	}()
	<-reported
	run(t, session(t, url), "SELECT count(*) FROM audit_events") // queues behind the migration until that gives way
	run(t, long, "COMMIT")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUp_RejectsAPooler(t *testing.T) {
	t.Parallel()
	url := empty(t)
	pooled := storetest.OpenPostgres(t, storetest.Pooler(t, url))
	defer pooled.Close()
	start := time.Now()
	n, err := migrations.Up(t.Context(), pooled, migrations.LockWait{})
	if n != 0 || !errors.Is(err, migrations.ErrPooled) || !strings.Contains(err.Error(), "MIGRATE_DATABASE_URL") {
		t.Errorf("through PgBouncer: %d applied, %v", n, err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("Up took %v", took)
	}
	direct := storetest.OpenPostgres(t, url)
	defer direct.Close()
	if n, err := migrations.Up(t.Context(), direct, migrations.LockWait{Longest: time.Second}); n != store.SchemaVersion || err != nil {
		t.Errorf("directly afterwards: %d applied, %v; a lock may be left", n, err)
	}
}

// TestUp_ConcurrentRunsOnANewFolder starts the way several processes do at once.
func TestUp_ConcurrentRunsOnANewFolder(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := filepath.Join(t.TempDir(), "new", "gateway.db")
		var (
			all     sync.WaitGroup
			applied [6]int
		)
		for i := range applied {
			all.Go(func() {
				db, err := sqlite.Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				if applied[i], err = migrations.Up(t.Context(), db, migrations.LockWait{}); err != nil {
					t.Errorf("start %d: %v", i, err)
				}
			})
		}
		all.Wait()
		total := 0
		for _, n := range applied {
			total += n
		}
		if total != store.SchemaVersion {
			t.Errorf("applied %v, want %d in total", applied, store.SchemaVersion)
		}
	}
}

func TestUp_WaitsForALockedSQLiteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.db")
	db, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	upTo(t, goose.DialectSQLite3, db, before)
	other, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Handle().BeginTx(t.Context(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var reported string
	n, err := migrations.Up(t.Context(), db, migrations.LockWait{Report: func(line string) {
		reported = line
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}})
	if n != store.SchemaVersion-before || err != nil || !strings.Contains(reported, "another process that has locked the database file") {
		t.Errorf("%d applied, %v, reported %q", n, err, reported)
	}
}
