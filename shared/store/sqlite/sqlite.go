// Package sqlite opens a store in one file, for one process: the default that
// needs nothing installed. It is linked into cmd/gateway and tests only, never
// into a Lambda function.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/voiceassist/gateway/shared/store"
)

// maxConns is how many readers may run beside the one writer.
const maxConns = 8

// lockWait is how long a statement waits, in milliseconds, while somebody else
// holds the write lock: another process, or the writers before it in this one.
const lockWait = "5000"

// Open returns a store in the file at path, made with its folder when missing,
// readable by its owner only. An answered write survives the end of the process
// and of the machine: the write-ahead log is synced at every commit.
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
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+url.Values{
		"_pragma": {
			"busy_timeout(" + lockWait + ")", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)",
			// What does not fit into the page cache, such as a sort, stays in memory: a
			// container has no folder for temporary files.
			"temp_store(memory)",
		},
		"_time_integer_format": {"unix_micro"},
		// A transaction takes the write lock at its start: two that read
		// first and write then would otherwise fail each other.
		"_txlock": {"immediate"},
	}.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	return store.New(db, &store.Dialect{
		Engine:      store.SQLite,
		Retryable:   extended(lib.SQLITE_BUSY_SNAPSHOT), // any other lock was waited for
		Duplicate:   extended(lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY),
		NoParent:    extended(lib.SQLITE_CONSTRAINT_FOREIGNKEY),
		NoTable:     noTable,
		Locked:      coded(lib.SQLITE_BUSY),
		Unavailable: unavailable,
		NotApplied:  undone,
	}), nil
}

// coded reports errors by their primary result code.
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

// extended reports errors by their extended result code.
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

// noTable reports a statement on a table that does not exist, for which SQLite
// has no code of its own.
func noTable(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == lib.SQLITE_ERROR && strings.Contains(e.Error(), "no such table")
}

// unavailable reports what passes, or what an operator puts right: a lock that
// stayed taken, a full or broken disk, a file that may not be written, and a
// request whose time ran out. A damaged file is not among it.
func unavailable(err error) bool {
	return undone(err) || coded(lib.SQLITE_IOERR)(err) || errors.Is(err, context.DeadlineExceeded)
}

// undone reports errors after which SQLite has rolled the statement back. Whether
// a commit took effect that failed on the disk, or whose time ran out, is not sure.
func undone(err error) bool {
	return coded(lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_PROTOCOL, lib.SQLITE_FULL, lib.SQLITE_READONLY,
		lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_NOMEM)(err)
}
