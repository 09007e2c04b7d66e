// Package sqlite opens a store in a file for one process. It is the default and needs no
// installation. Only cmd/gateway and tests link it, never a Lambda function.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/voiceassist/gateway/shared/store"
)

// maxReads returns the number of connections for reads, which run beside the one for
// writes. Reads hardly wait for the disk, so more than there are processors gain nothing,
// and each has a page cache.
func maxReads() int { return max(4, runtime.GOMAXPROCS(0)) }

// lockWait is how long, in milliseconds, a statement waits for the write lock, which
// another process or another writer in this process may hold.
const lockWait = "5000"

// Open returns a store in the file at path. It creates the file and its folder if
// necessary, readable by the owner only. A write that was acknowledged survives a crash of
// the process or of the machine: the write-ahead log is synced at every commit.
func Open(path string) (*store.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("folder of the database: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	c := connector{name: "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_pragma": {
			"busy_timeout(" + lockWait + ")", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)",
			"wal_autocheckpoint(0)", // the store copies the log in the background
			// Data that exceeds the page cache, such as a sort, stays in memory: a container
			// has no folder for temporary files.
			"temp_store(memory)",
		},
		"_time_integer_format": {"unix_micro"},
		// A transaction takes the write lock when it begins. Otherwise two transactions that
		// read and then write would make each other fail.
		"_txlock": {"immediate"},
	}.Encode()}
	writes, reads := sql.OpenDB(c), sql.OpenDB(c)
	for db, conns := range map[*sql.DB]int{writes: 1, reads: maxReads()} {
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
	}
	return store.New(writes, reads, &store.Dialect{
		Engine:       store.SQLite,
		SingleWriter: true,
		Retryable:    extended(lib.SQLITE_BUSY_SNAPSHOT), // SQLite waits for other locks
		Duplicate:    extended(lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY),
		NoParent:     extended(lib.SQLITE_CONSTRAINT_FOREIGNKEY),
		NoTable:      noTable,
		Locked:       coded(lib.SQLITE_BUSY),
		Unavailable:  unavailable,
		NotApplied:   notApplied,
	}), nil
}

// coded returns a function that reports whether an error has one of the primary result
// codes.
func coded(codes ...int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*sqlite.Error](err)
		for _, c := range codes {
			if ok && e.Code()&0xff == c {
				return true
			}
		}
		return false
	}
}

// extended returns a function that reports whether an error has one of the extended result
// codes.
func extended(codes ...int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*sqlite.Error](err)
		for _, c := range codes {
			if ok && e.Code() == c {
				return true
			}
		}
		return false
	}
}

// noTable reports whether a table does not exist. SQLite has no separate code for that.
func noTable(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == lib.SQLITE_ERROR && strings.Contains(e.Error(), "no such table")
}

// unavailable reports whether err is temporary or can be fixed by an operator: a lock that
// was not released in time, a full or broken disk, a file that is not writable, or an
// expired deadline. A damaged database is not included.
func unavailable(err error) bool {
	return notApplied(err) || coded(lib.SQLITE_IOERR)(err) || errors.Is(err, context.DeadlineExceeded)
}

// notApplied reports whether SQLite has certainly rolled back the statement. After an I/O
// error or an expired deadline, it is unknown whether a commit took effect.
func notApplied(err error) bool {
	return coded(lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL, lib.SQLITE_FULL, lib.SQLITE_READONLY,
		lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_NOMEM)(err)
}
