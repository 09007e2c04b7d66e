package migrations_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// statements returns the statements that a migration runs.
func statements(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, up, _ := strings.Cut(string(text), "-- +goose Up\n")
	up, _, _ = strings.Cut(up, "-- +goose Down\n")
	var all []string
	for s := range strings.SplitSeq(up, ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// TestUp_ContinuesAfterAnInterruption_OnPostgres ends each migration that runs outside of a
// transaction after each of its statements. The next run completes it.
func TestUp_ContinuesAfterAnInterruption_OnPostgres(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("postgres/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	interrupted := 0
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "+goose NO TRANSACTION") {
			continue
		}
		all := statements(t, path)
		for n := 1; n <= len(all); n += 2 {
			db := storetest.OpenPostgres(t, empty(t))
			upTo(t, goose.DialectPostgres, db, int64(i))
			for _, s := range all[:n] {
				if _, err := db.Handle().ExecContext(t.Context(), s); err != nil {
					t.Fatalf("%v: %s", err, s)
				}
			}
			if _, err := migrations.Up(t.Context(), db, migrations.LockWait{}); err != nil {
				t.Errorf("%s, after %d statements: %v", path, n, err)
			}
			var invalid int
			if err := db.Handle().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_index WHERE NOT indisvalid`).Scan(&invalid); err != nil || invalid > 0 {
				t.Errorf("%s, after %d statements: %d indexes are not valid, %v", path, n, invalid, err)
			}
			db.Close()
			interrupted++
		}
	}
	if interrupted < 10 {
		t.Errorf("%d interruptions", interrupted)
	}
}

// TestUp_BesideAnOlderRelease_OnPostgres has a session wait for the advisory lock in one
// statement, as releases up to 0.1.0 do. An index that is built meanwhile waits for the end
// of that statement, so PostgreSQL ends one of the two. The migration starts again.
func TestUp_BesideAnOlderRelease_OnPostgres(t *testing.T) {
	t.Parallel()
	url := empty(t)
	db := storetest.OpenPostgres(t, url)
	defer db.Close()
	upTo(t, goose.DialectPostgres, db, 20)
	transaction := session(t, url, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM audit_chain")
	waits, done := make(chan string, 10), make(chan error)
	go func() {
		_, err := migrations.Up(t.Context(), db, migrations.LockWait{Report: func(line string) { waits <- line }})
		done <- err
	}()
	if line := <-waits; !strings.Contains(line, "waiting for a lock (virtualxid)") {
		t.Fatalf("the index does not wait for the transaction: %s", line)
	}
	older, released := session(t, url), make(chan error)
	go func() {
		_, err := older.Exec(t.Context(), "SELECT pg_advisory_lock(4097083626)")
		released <- err
	}()
	watcher := session(t, url)
	for waiting := false; !waiting; {
		err := watcher.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	// A session looks for a deadlock once, a second after it began to wait. After that, it is
	// the migration that finds it.
	<-time.After(1500 * time.Millisecond)
	run(t, transaction, "COMMIT")
	if err := <-released; err == nil {
		run(t, older, "SELECT pg_advisory_unlock(4097083626)")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestUp_ConcurrentRunsThatBuildIndexes_OnPostgres starts several migrations at once.
func TestUp_ConcurrentRunsThatBuildIndexes_OnPostgres(t *testing.T) {
	t.Parallel()
	url := empty(t)
	first := storetest.OpenPostgres(t, url)
	defer first.Close()
	upTo(t, goose.DialectPostgres, first, 20)
	var all sync.WaitGroup
	var applied [4]int
	for i := range applied {
		all.Go(func() {
			db := storetest.OpenPostgres(t, url)
			defer db.Close()
			n, err := migrations.Up(t.Context(), db, migrations.LockWait{})
			if err != nil {
				t.Error(err)
			}
			applied[i] = n
		})
	}
	all.Wait()
	total := 0
	for _, n := range applied {
		total += n
	}
	if total != store.SchemaVersion-20 {
		t.Errorf("applied %v, want %d in all", applied, store.SchemaVersion-20)
	}
}
