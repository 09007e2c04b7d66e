package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestFromTemplate_MigratesOnceAndIsolatesTests(t *testing.T) {
	t.Parallel()
	var migrations atomic.Int32
	migrate := func(ctx context.Context, dsn string) error {
		migrations.Add(1)
		return execute(ctx, dsn, "CREATE TABLE notes (text text NOT NULL)")
	}
	for i := range 3 {
		conn := connect(t, storetest.FromTemplate(t, migrate))
		if _, err := conn.Exec(t.Context(), "INSERT INTO notes VALUES ($1)", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		var notes int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM notes").Scan(&notes); err != nil || notes != 1 {
			t.Errorf("database %d contains %d notes, %v; want only its own", i, notes, err)
		}
	}
	if got := migrations.Load(); got > 1 { // none if this process already ran the test
		t.Errorf("migrated %d times, want once", got)
	}
}

func TestFromTemplate_DropsTheDatabaseUnderOpenConnections(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("user", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), storetest.FromTemplate(t, none))
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database // and conn stays open
	})
	if exists(t, name) {
		t.Errorf("database %s is still there", name)
	}
}

func TestFromTemplate_FailsEachTestWhoseMigrationFails(t *testing.T) {
	t.Parallel()
	broken := func(context.Context, string) error { return errors.New("no such table") }
	for range 2 {
		tb := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done) // Goexit runs it
			storetest.FromTemplate(tb, broken)
		}()
		<-done
		if want := "migrate the template: no such table"; !strings.Contains(tb.fatal, want) {
			t.Errorf("failed with %q, want %q in it", tb.fatal, want)
		}
	}
}

func TestFromTemplate_RemovesOnlyAbandonedDatabases(t *testing.T) {
	t.Parallel()
	const dead, alive, foreign = "voiceassist_test_7_1", "voiceassist_test_8_1", "voiceassist_test_prod"
	admin := connect(t, storetest.Cluster(t))
	for _, sql := range []string{
		"SELECT pg_advisory_lock(8)", // held by the process that created the second one
		"CREATE DATABASE " + dead, "CREATE DATABASE " + alive, "CREATE DATABASE " + foreign,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, name := range []string{dead, alive, foreign} {
			if _, err := admin.Exec(context.WithoutCancel(t.Context()), "DROP DATABASE IF EXISTS "+name); err != nil {
				t.Error(err)
			}
		}
	})

	if err := storetest.Sweep(t.Context(), admin.Config().ConnString()); err != nil {
		t.Fatal(err)
	}

	if exists(t, dead) {
		t.Error("the database of a killed process still exists")
	}
	if !exists(t, alive) || !exists(t, foreign) {
		t.Error("a database of a running process, or a foreign one, was dropped")
	}
}

// A recorder is a test that records the messages of Fatalf.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func exists(tb testing.TB, database string) (found bool) {
	tb.Helper()
	err := connect(tb, storetest.Cluster(tb)).QueryRow(tb.Context(),
		"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&found)
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func execute(ctx context.Context, dsn, sql string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}
