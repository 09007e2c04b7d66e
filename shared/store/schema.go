package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// ErrSchemaOutdated is returned by every statement if the schema is older than
// [SchemaVersion]. Otherwise half of the statements would work, and write what
// the pending migration does not expect.
var ErrSchemaOutdated = fault.New(fault.Unavailable, "schema_outdated",
	"The database is not migrated to this version yet. Try again shortly.").After(10 * time.Second)

// Schema returns the schema version of the database, 0 before the first
// migration.
func (db *DB) Schema(ctx context.Context) (int64, error) {
	var version int64
	err := db.reads.QueryRowContext(ctx, `
		SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	if err != nil && db.dialect.NoTable(err) {
		return 0, nil
	}
	if err := db.readError(ctx, err); err != nil {
		return 0, fmt.Errorf("schema version: %w", err)
	}
	return version, nil
}

// DescribeOutdated returns, for operators, what is wrong with a schema of an older
// version, and the remedy. It continues "the".
func DescribeOutdated(version int64) string {
	return fmt.Sprintf("schema is at version %d and must be at %d: run gateway migrate up", version, SchemaVersion)
}

// checkVersion returns [ErrSchemaOutdated] if the schema is too old. It runs
// before the first statement, so that opening a database costs nothing, and not
// again after it has succeeded: schema versions only increase.
func (db *DB) checkVersion(ctx context.Context) error {
	if db.versionChecked.Load() {
		return nil
	}
	version, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	if version < SchemaVersion {
		return ErrSchemaOutdated.Because(errors.New("the " + DescribeOutdated(version)))
	}
	db.versionChecked.Store(true)
	return nil
}

// skipCheck is the check for statements in a transaction, which has already
// checked the schema.
func skipCheck(context.Context) error { return nil }
