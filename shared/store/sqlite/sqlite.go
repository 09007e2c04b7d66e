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
			"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)",
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
		Retryable:   coded(lib.SQLITE_BUSY, lib.SQLITE_LOCKED),
		Duplicate:   extended(lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY),
		Orphan:      extended(lib.SQLITE_CONSTRAINT_FOREIGNKEY),
		NoTable:     noTable,
		Unreachable: unreachable,
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

// unreachable reports a request whose time ran out while it waited; a lock that
// stays taken is left to Retryable.
func unreachable(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
