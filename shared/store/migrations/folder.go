package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/filelock"
)

const folderPoll = 50 * time.Millisecond // between two attempts to lock the folder

// lockFolder keeps other processes from migrating the SQLite file of db. SQLite's own lock
// is not enough, because goose checks what is missing before it begins a transaction.
// Locking the folder leaves no file behind.
func lockFolder(ctx context.Context, db *sql.DB, t *waitReporter, giveUp time.Time) (unlock func(), err error) {
	ctx, cancel := context.WithDeadline(ctx, giveUp)
	defer cancel()
	var file string
	err = db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file)
	if err != nil {
		return nil, fmt.Errorf("path of the database: %w", err)
	}
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("folder of the database: %w", err)
	}
	for {
		locked, err := filelock.TryLock(folder)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", folder.Name(), err), folder.Close())
		}
		if locked {
			return func() { _ = folder.Close() }, nil
		}
		t.report("waiting for another process that migrates " + file)
		if !pause(ctx, folderPoll) {
			return nil, errors.Join(ctx.Err(), folder.Close())
		}
	}
}
