package store

import (
	"context"
	"strconv"
	"time"
)

// housekeepingBatch is how many rows one statement of housekeeping changes at most. It locks
// them for some milliseconds, for which other writers of SQLite wait.
const housekeepingBatch = 250

// inBatches calls batch until it handles fewer rows than a batch has, and returns how many
// it handled in total. After each batch it rests as long as that took, so that requests
// get at least half of the database's time. It may stop at any point; the next call
// continues.
func inBatches(ctx context.Context, batch func() (int64, error)) (total int64, err error) {
	for {
		begin := time.Now()
		n, err := batch()
		total += n
		if err != nil || n < housekeepingBatch {
			return total, err
		}
		if err := wait(ctx, time.Since(begin)); err != nil {
			return total, err
		}
	}
}

// changeInBatches runs the statement on the rows of the table that meet the condition, in
// batches, and returns how many it changed. change begins the statement: DELETE or UPDATE
// with its assignments. key is the primary key of the table. Rows that are locked are left
// to the next call, so calls of several processes neither wait for each other nor deadlock.
func (s *Statements) changeInBatches(ctx context.Context, change, table, key, condition string, args ...any) (int64, error) {
	query := `
		WITH batch AS MATERIALIZED ( -- or a plan may run it once for each row, beyond the limit
			SELECT ` + key + ` FROM ` + table + ` WHERE ` + condition + ` LIMIT ` + strconv.Itoa(housekeepingBatch) + s.dialect.SkipLocked + `)
		` + change + ` WHERE ` + key + ` IN (SELECT ` + key + ` FROM batch)`
	return inBatches(ctx, func() (int64, error) { return s.exec(ctx, query, args...) })
}

// deleteInBatches deletes rows of a table with an id, as [Statements.changeInBatches] does.
func (s *Statements) deleteInBatches(ctx context.Context, table, condition string, args ...any) (int64, error) {
	return s.changeInBatches(ctx, `DELETE FROM `+table, table, "id", condition, args...)
}

// wait returns after d, or with the error of ctx when that ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
