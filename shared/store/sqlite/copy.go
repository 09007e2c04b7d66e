package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Copy writes a copy of the database in the file from to the new file to, readable by the
// owner only. The copy has the state of one moment, and writers of from do not wait for
// it, also in other processes. After an error, to may contain a part of it.
func Copy(ctx context.Context, from, to string) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db := openExisting(from)
	// SQLite accepts a file that exists if it is empty.
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, to)
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return nil
}

// Check reads the whole database in the file. The error says what is damaged in it.
func Check(ctx context.Context, path string) error {
	db := openExisting(path)
	var verdict string
	err := db.QueryRowContext(ctx, `SELECT integrity_check FROM pragma_integrity_check LIMIT 1`).Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = errors.New(verdict)
	}
	var orphans int
	if err == nil {
		err = db.QueryRowContext(ctx, `SELECT COUNT(*) FROM pragma_foreign_key_check`).Scan(&orphans)
	}
	if err == nil && orphans > 0 {
		err = fmt.Errorf("%d rows refer to rows that do not exist", orphans)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("check %s: %w", path, err)
	}
	return nil
}

// openExisting opens a connection to the database in the file, and creates none.
func openExisting(path string) *sql.DB {
	db := sql.OpenDB(connector{name: "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"mode":    {"rw"}, // reading a database in WAL mode needs its shared memory
		"_pragma": {"busy_timeout(" + lockWait + ")", "temp_store(memory)"},
	}.Encode()})
	db.SetMaxOpenConns(1)
	return db
}
