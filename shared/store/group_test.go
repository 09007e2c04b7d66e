package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

var errOfWrite = errors.New("the write failed")

// together makes all writes wait for each other, runs them, and returns their errors. A
// write that panics returns what it panicked with.
func together(t *testing.T, db *store.DB, writes ...func() error) []error {
	t.Helper()
	first, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := db.Update(t.Context(), func(*store.Tx) error {
			close(first)
			<-release
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrUnavailable) { // with its group
			t.Error(err)
		}
	})
	<-first
	errs := make([]error, len(writes))
	for i, write := range writes {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = p.(error)
				}
			}()
			errs[i] = write()
		})
		store.WaitForQueue(db, i+1)
	}
	close(release)
	all.Wait()
	return errs
}

// creating returns a write that creates an account and then calls fail, unless that is nil.
func creating(ctx context.Context, db *store.DB, email string, fail func() error) func() error {
	return func() error {
		return db.Update(ctx, func(tx *store.Tx) error {
			a := newAccount(email)
			if err := tx.CreateAccount(ctx, a, "hash"); err != nil || fail == nil {
				return err
			}
			return fail()
		})
	}
}

func exists(t *testing.T, db *store.DB, email string) bool {
	t.Helper()
	_, _, err := db.AccountByEmail(t.Context(), account.Email(email).Lookup())
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// TestGroup_AWriteFailsAlone commits a group in which writes fail in every way.
func TestGroup_AWriteFailsAlone(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	someone(t, db, "taken@example.org")
	writes := []struct {
		email string
		write func(email string) func() error
		want  error
	}{
		{"first@example.org", func(email string) func() error { return creating(t.Context(), db, email, nil) }, nil},
		{"error@example.org", func(email string) func() error {
			return creating(t.Context(), db, email, func() error { return errOfWrite })
		}, errOfWrite},
		{"panic@example.org", func(email string) func() error {
			return creating(t.Context(), db, email, func() error { panic(errOfWrite) })
		}, errOfWrite},
		{"taken@example.org", func(email string) func() error { return creating(t.Context(), db, email, nil) }, account.ErrEmailTaken},
		{"statement@example.org", func(email string) func() error {
			return func() error { return store.InsertAccount(&db.Statements, t.Context(), newAccount(email), "hash") }
		}, nil},
		{"last@example.org", func(email string) func() error { return creating(t.Context(), db, email, nil) }, nil},
	}
	var run []func() error
	for _, w := range writes {
		run = append(run, w.write(w.email))
	}
	for i, err := range together(t, db, run...) {
		w := writes[i]
		if !errors.Is(err, w.want) {
			t.Errorf("write %d, of %s: got %v, want %v", i, w.email, err, w.want)
		}
		if want := w.want == nil || errors.Is(w.want, account.ErrEmailTaken); exists(t, db, w.email) != want {
			t.Errorf("%s exists: %t, want %t", w.email, !want, want)
		}
	}
}

// TestGroup_AWriteLeavesTheQueue ends the context of a write that waits.
func TestGroup_AWriteLeavesTheQueue(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	waiting, leave := context.WithCancel(t.Context())
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		left := make(chan error)
		go func() { left <- creating(waiting, db, "left@example.org", nil)() }()
		store.WaitForQueue(db, 1)
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the write that left: got %v, want %v", err, context.Canceled)
		}
		return tx.CreateAccount(t.Context(), newAccount("stayed@example.org"), "hash")
	})
	if err != nil {
		t.Error(err)
	}
	if exists(t, db, "left@example.org") || !exists(t, db, "stayed@example.org") {
		t.Error("want the account of the write that stayed, and no other")
	}
}

// TestGroup_NoWriteWaitsForOneThatLeft leaves a group open for a write that then leaves the
// queue, instead of committing the group.
func TestGroup_NoWriteWaitsForOneThatLeft(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 20 { // the write that leaves may get its turn nevertheless
		committed := make(chan error)
		store.CountWaiting(db, 1)
		open := make(chan struct{})
		go func() {
			committed <- db.Update(t.Context(), func(tx *store.Tx) error {
				defer close(open)
				return tx.CreateAccount(t.Context(), newAccount(fmt.Sprintf("ada%d@example.org", i)), "hash")
			})
		}()
		<-open
		store.CountWaiting(db, -1)
		if err := creating(cancelled, db, "left@example.org", nil)(); !errors.Is(err, context.Canceled) {
			t.Errorf("the write that left: got %v, want %v", err, context.Canceled)
		}
		if err := <-committed; err != nil {
			t.Fatal(err)
		}
	}
}

// TestGroup_SharesACommit measures the write-ahead log: a commit writes each changed page
// once.
func TestGroup_SharesACommit(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	const writes = 50
	create := func(name string) []func() error {
		var all []func() error
		for i := range writes {
			all = append(all, creating(t.Context(), db, fmt.Sprintf("%s%d@example.org", name, i), nil))
		}
		return all
	}
	size := func() int64 {
		info, err := os.Stat(logFile(t, db))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size()
	for _, write := range create("alone") {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	alone := size() - before
	for _, err := range together(t, db, create("together")...) {
		if err != nil {
			t.Error(err)
		}
	}
	if shared := size() - before - alone; shared*3 > alone {
		t.Errorf("%d writes that wait for each other write %d bytes, one after the other %d; want a third at most", writes, shared, alone)
	}
}

// TestGroup_NothingIsHalfDoneWithoutRoom fills the database in the middle of a group.
func TestGroup_NothingIsHalfDoneWithoutRoom(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	pragma(t, db, "max_page_count = 1")
	large := newAccount("large@example.org")
	large.FullName = strings.Repeat("long ", 20_000)
	errs := together(t, db,
		creating(t.Context(), db, "before@example.org", nil),
		func() error { return create(t.Context(), db, large) },
		creating(t.Context(), db, "after@example.org", nil),
	)
	for i, email := range []string{"before@example.org", "large@example.org", "after@example.org"} {
		if errs[i] != nil && !errors.Is(errs[i], store.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", email, errs[i], store.ErrUnavailable)
		}
		if done := errs[i] == nil; exists(t, db, email) != done {
			t.Errorf("%s: got %v, and the account exists: %t", email, errs[i], !done)
		}
	}
	if errs[1] == nil {
		t.Error("there was room for the large account")
	}
}

// TestGroup_WaitsOnceForAnotherProcess has writes wait while another process keeps the
// database locked: SQLite waits 5 seconds, and none waits longer than two of these times.
func TestGroup_WaitsOnceForAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.db")
	open := func() *store.DB {
		db, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	db, other := open(), open()
	if _, err := migrations.Up(t.Context(), db, migrations.LockWait{}); err != nil {
		t.Fatal(err)
	}
	tx, err := other.Handle().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			err := create(t.Context(), db, newAccount(fmt.Sprintf("ada%d@example.org", i)))
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want %v", err, store.ErrUnavailable)
			}
		})
	}
	all.Wait()
	if took := time.Since(start); took > 25*time.Second {
		t.Errorf("the writes waited %v, want about 5 s, not 40 s as one after the other", took)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := create(t.Context(), db, newAccount("ada@example.org")); err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
}

// TestCheckpoint_TheLogBeginsAnew writes until the log was copied into the database and
// written from its beginning.
func TestCheckpoint_TheLogBeginsAnew(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	var clients sync.WaitGroup
	var writes atomic.Int64
	startLogin(t, db, "first@example.org")
	log := logFile(t, db)
	first := header(t, log)
	for i := range 16 {
		l := startLogin(t, db, fmt.Sprintf("ada%d@example.org", i))
		clients.Go(func() {
			for counter := int64(0); header(t, log) == first; counter++ {
				if writes.Add(1) > 5*store.CheckpointAfter {
					t.Errorf("the log did not begin anew in %d writes", writes.Load())
					return
				}
				if _, matched, err := db.RotateLogin(t.Context(), l.ID, counter, "192.0.2.1", noon, noon.Add(time.Hour)); err != nil || !matched {
					t.Error(matched, err)
					return
				}
			}
		})
	}
	clients.Wait()
}

// header returns the header of the write-ahead log, which has other salts each time that
// the log begins anew (SQLite, "WAL-mode File Format").
func header(t *testing.T, log string) (h [32]byte) {
	t.Helper()
	f, err := os.Open(log)
	if err != nil {
		t.Error(err)
		return h
	}
	defer f.Close()
	if _, err := io.ReadFull(f, h[:]); err != nil {
		t.Error(err)
	}
	return h
}

func logFile(t *testing.T, db *store.DB) string {
	t.Helper()
	return sqliteFile(t, db) + "-wal"
}

// sqliteFile returns the path of the database.
func sqliteFile(t *testing.T, db *store.DB) string {
	t.Helper()
	var n int
	var name, path string
	if err := db.Handle().QueryRowContext(t.Context(), "PRAGMA database_list").Scan(&n, &name, &path); err != nil {
		t.Fatal(err)
	}
	return path
}
