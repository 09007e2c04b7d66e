package storetest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// templates holds one template database for each migration that the process has
// used. It is a variable for the reason that own is one.
var templates templateDatabases

// opTimeout bounds each statement on the server; the slowest copies a template.
const opTimeout = time.Minute

// FromTemplate returns the URL of a new database on [Cluster] with the schema that
// migrate creates. When tb ends, the database is dropped, even with open
// connections. migrate runs once per process, in a database that is copied for
// each call; it must close its connections. Functions are distinguished by their
// code, so two closures of one literal must not capture different values.
// FromTemplate is safe for concurrent use.
func FromTemplate(tb testing.TB, migrate func(ctx context.Context, dsn string) error) (dsn string) {
	tb.Helper()
	dsn, drop, err := templates.database(context.WithoutCancel(tb.Context()), Cluster(tb), migrate)
	if err != nil {
		tb.Fatalf("PostgreSQL database for the test: %v", err)
	}
	tb.Cleanup(func() {
		if err := drop(); err != nil {
			tb.Errorf("PostgreSQL database of the test: %v", err)
		}
	})
	return dsn
}

// templateDatabases makes databases on one server, over one connection.
type templateDatabases struct {
	mu    sync.Mutex
	conn  *pgx.Conn // nil until the first database
	admin string    // the URL behind conn
	name  string    // begins the name of every database made here
	made  int
	ready map[uintptr]template // by the code of the migration
}

// A template is a migrated database, or why there is none.
type template struct {
	name string
	err  error
}

// database returns the URL of a fresh copy of the migrated template.
func (w *templateDatabases) database(ctx context.Context, admin string,
	migrate func(context.Context, string) error,
) (dsn string, drop func() error, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.open(ctx, admin); err != nil {
		return "", nil, err
	}
	code := reflect.ValueOf(migrate).Pointer()
	if _, ok := w.ready[code]; !ok {
		name, err := w.template(ctx, migrate)
		w.ready[code] = template{name, err}
	}
	source := w.ready[code]
	if source.err != nil {
		return "", nil, source.err
	}
	name := w.next()
	if err := w.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+source.name); err != nil {
		return "", nil, err
	}
	drop = func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
	}
	return w.url(name), drop, nil
}

// open connects once, and takes the lock that marks this process as alive.
func (w *templateDatabases) open(ctx context.Context, admin string) error {
	if w.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	var b [8]byte
	rand.Read(b[:])
	key := binary.BigEndian.Uint64(b[:]) >> 1 // PostgreSQL's bigint has a sign
	w.conn, w.admin, w.ready = conn, admin, map[uintptr]template{}
	w.name = fmt.Sprintf("voiceassist_test_%d_", key)
	if err := w.exec(ctx, fmt.Sprintf("SELECT pg_advisory_lock(%d)", key)); err != nil {
		return err
	}
	return w.sweep(ctx)
}

// sweep drops the databases of test processes that were killed. Otherwise they
// would fill a server that outlives them, at TEST_DATABASE_URL. The names of
// databases contain the key of a lock that is held while their process is alive.
func (w *templateDatabases) sweep(ctx context.Context) error {
	rows, err := w.conn.Query(ctx, `
		SELECT datname FROM (
			SELECT datname, split_part(datname, '_', 3)::bigint AS key
			FROM pg_database WHERE datname ~ '^voiceassist_test_[0-9]+_[0-9]+$' OFFSET 0
		) AS ours
		WHERE NOT EXISTS (
			SELECT FROM pg_locks
			WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = key)`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	return nil
}

// template creates a database, migrates it and rejects further connections to it,
// because PostgreSQL copies only databases that are not in use.
func (w *templateDatabases) template(ctx context.Context, migrate func(context.Context, string) error) (string, error) {
	name := w.next()
	if err := w.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return name, err
	}
	if err := migrate(ctx, w.url(name)); err != nil {
		return name, fmt.Errorf("migrate the template: %w", err)
	}
	return name, w.exec(ctx, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false")
}

// next returns an unused name. It needs no quotes in SQL.
func (w *templateDatabases) next() string {
	w.made++
	return fmt.Sprint(w.name, w.made)
}

func (w *templateDatabases) exec(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if _, err := w.conn.Exec(ctx, sql); err != nil {
		verb, _, _ := strings.Cut(sql, " voiceassist")
		return fmt.Errorf("%s: %w", strings.ToLower(verb), err)
	}
	return nil
}

// url returns the URL of another database on the same server.
func (w *templateDatabases) url(database string) string {
	u, err := url.Parse(w.admin)
	if err != nil {
		panic("pgx took a URL that url.Parse does not take") // impossible: it uses url.Parse
	}
	u.Path = "/" + database
	return u.String()
}

// close drops the templates and ends the connection.
func (w *templateDatabases) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	for _, t := range w.ready {
		w.exec(ctx, "DROP DATABASE "+t.name+" WITH (FORCE)")
	}
	w.conn.Close(ctx)
	w.conn = nil
}
