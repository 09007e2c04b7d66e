package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// A lost is a store with a connection to PostgreSQL that can be cut, and the account in
// it.
type lost struct {
	*store.DB

	line   *storetest.Line
	direct *pgx.Conn
	who    account.Account
	email  account.Email // address of the account that the test creates
}

func newLost(t *testing.T) *lost {
	t.Helper()
	url := storetest.PostgresURL(t)
	line := storetest.NewLine(t, url)
	direct, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { direct.Close(context.WithoutCancel(t.Context())) })
	db := storetest.OpenPostgres(t, line.URL())
	t.Cleanup(func() { db.Close() })
	l := &lost{DB: db, line: line, direct: direct, who: someone(t, db, "ada@example.org"), email: "first@example.org"}
	if err := l.write(t.Context(), &l.Statements); err != nil { // makes pgx cache its description
		t.Fatal(err)
	}
	l.email = "lost@example.org"
	return l
}

// write inserts the account with s, which is the store or a transaction.
func (l *lost) write(ctx context.Context, s *store.Statements) error {
	a := l.who
	a.ID, a.Email = account.NewID(), l.email
	return store.InsertAccount(s, ctx, a, "hash")
}

// made returns the number of such accounts.
func (l *lost) made(t *testing.T) int {
	t.Helper()
	var n int
	if err := l.direct.QueryRow(t.Context(), "SELECT count(*) FROM users WHERE email = $1", string(l.email)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// cutWhenMade cuts the connection as soon as the account exists.
func (l *lost) cutWhenMade(t *testing.T) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for l.made(t) == 0 {
		<-look.C
	}
	l.line.Reset()
}

// TestOutcome_LostConnection_OnPostgres loses the connection at every point of a statement and a
// transaction. It checks that a change that may have been made is reported differently
// from one that was not, and that none is made twice.
func TestOutcome_LostConnection_OnPostgres(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, l *lost) error
		want error
		made int
	}{
		{"a write, before its response", func(t *testing.T, l *lost) error {
			t.Helper()
			l.line.DropResponses()
			failed := make(chan error)
			go func() { failed <- l.write(t.Context(), &l.Statements) }()
			l.cutWhenMade(t)
			return <-failed
		}, store.ErrOutcomeUnknown, 1},
		{"a commit, before its response", func(t *testing.T, l *lost) error {
			t.Helper()
			failed := make(chan error)
			go func() {
				failed <- l.Update(t.Context(), func(tx *store.Tx) error {
					err := l.write(t.Context(), &tx.Statements)
					l.line.DropResponses()
					return err
				})
			}()
			l.cutWhenMade(t)
			return <-failed
		}, store.ErrOutcomeUnknown, 1},
		{"a write that times out", func(t *testing.T, l *lost) error {
			t.Helper()
			l.line.DropResponses()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a busy server makes the change, too
			defer cancel()
			return l.write(ctx, &l.Statements)
		}, store.ErrOutcomeUnknown, 1},
		{"a read", func(t *testing.T, l *lost) error {
			t.Helper()
			l.line.Mute()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := l.Account(ctx, l.who.ID)
			return err
		}, store.ErrUnavailable, 0},
		{"a transaction, between two statements", func(t *testing.T, l *lost) error {
			t.Helper()
			return l.Update(t.Context(), func(tx *store.Tx) error {
				err := l.write(t.Context(), &tx.Statements)
				l.line.Reset()
				return errors.Join(err, l.write(t.Context(), &tx.Statements))
			})
		}, store.ErrUnavailable, 0},
		{"a transaction that times out between two statements", func(t *testing.T, l *lost) error {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return l.Update(ctx, func(tx *store.Tx) error {
				err := l.write(ctx, &tx.Statements)
				<-ctx.Done()
				return errors.Join(err, l.write(ctx, &tx.Statements))
			})
		}, store.ErrUnavailable, 0},
		{"a transaction that times out before the commit", func(t *testing.T, l *lost) error {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return l.Update(ctx, func(tx *store.Tx) error {
				err := l.write(ctx, &tx.Statements)
				<-ctx.Done()
				return err
			})
		}, store.ErrUnavailable, 0},
		{"the begin", func(t *testing.T, l *lost) error {
			t.Helper()
			l.line.Mute()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return l.Update(ctx, func(tx *store.Tx) error { return l.write(ctx, &tx.Statements) })
		}, store.ErrUnavailable, 0},
		{"a blocked write, by a server that shuts down", func(t *testing.T, l *lost) error {
			t.Helper()
			return l.ended(t, func() error { return l.write(t.Context(), &l.Statements) })
		}, store.ErrUnavailable, 0},
		{"a blocked transaction, by a server that shuts down", func(t *testing.T, l *lost) error {
			t.Helper()
			return l.ended(t, func() error {
				return l.Update(t.Context(), func(tx *store.Tx) error { return l.write(t.Context(), &tx.Statements) })
			})
		}, store.ErrUnavailable, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLost(t)
			if err := tt.run(t, l); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if n := l.made(t); n != tt.made {
				t.Errorf("created %d times, want %d", n, tt.made)
			}
			if _, err := l.Account(t.Context(), l.who.ID); err != nil {
				t.Errorf("the next statement: %v", err)
			}
		})
	}
}

// ended runs statement, which has to wait for a lock, and has the server end its session
// meanwhile (57P01).
func (l *lost) ended(t *testing.T, statement func() error) error {
	t.Helper()
	tx, err := l.direct.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "LOCK TABLE users"); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() { failed <- statement() }()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for ended := 0; ended == 0; {
		<-look.C
		err := tx.QueryRow(t.Context(), `
			SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&ended)
		if err != nil {
			t.Fatal(err)
		}
	}
	return <-failed
}

// A client that disconnects is not a fault, and in particular not one of the database.
func TestOutcome_CanceledCaller(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Update(ctx, func(tx *store.Tx) error {
			cancel()
			_, err := tx.Accounts(ctx, store.Page{Limit: 1})
			return err
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

// TestSQLite_IsUnavailable makes an SQLite file fail as operators' mistakes do.
func TestSQLite_IsUnavailable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, db *store.DB, path string){
		"locked by another process": func(t *testing.T, _ *store.DB, path string) {
			t.Helper()
			other, err := sqlite.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { other.Close() })
			tx, err := other.Handle().BeginTx(t.Context(), &sql.TxOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { tx.Rollback() })
		},
		"disk full": func(t *testing.T, db *store.DB, _ string) { t.Helper(); pragma(t, db, "max_page_count = 1") },
		"read-only": func(t *testing.T, db *store.DB, _ string) { t.Helper(); pragma(t, db, "query_only = on") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "gateway.db")
			db, err := sqlite.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := migrations.Up(t.Context(), db, migrations.LockWait{}); err != nil {
				t.Fatal(err)
			}
			who := someone(t, db, "ada@example.org")
			who.Email, who.ID, who.FullName = "eve@example.org", account.NewID(), strings.Repeat("long ", 20_000)
			spoil(t, db, path)
			start := time.Now()
			if err := store.InsertAccount(&db.Statements, t.Context(), who, "hash"); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("statement: got %v", err)
			}
			err = db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateAccount(t.Context(), who, "hash") })
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("transaction: got %v", err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("both took %v, want about 5 s each, not 40 s as with repeated attempts", took)
			}
			if _, err := db.SearchAccounts(t.Context(), "ada", store.Page{Limit: 1}); err != nil {
				t.Errorf("read: %v", err)
			}
		})
	}
}

// pragma sets a pragma on all connections of db, and limits them to one.
func pragma(t *testing.T, db *store.DB, what string) {
	t.Helper()
	db.Handle().SetMaxOpenConns(1)
	if _, err := db.Handle().ExecContext(t.Context(), fmt.Sprint("PRAGMA ", what)); err != nil {
		t.Fatal(err)
	}
}
