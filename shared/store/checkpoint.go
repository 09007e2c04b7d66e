package store

import (
	"context"
	"log/slog"
	"sync"
)

const (
	checkpointAfter = 2_000 // writes
	fewPages        = 100   // are copied while writes wait
)

// checkpoints copies the write-ahead log of SQLite into the database file in the
// background. SQLite by itself does so during a write, which then takes many
// times as long as others.
type checkpoints struct {
	writes int // since the last checkpoint; guarded by the turn of the group
	due    chan struct{}
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// written notes that n writes were committed.
func (p *checkpoints) written(n int) {
	p.writes += n
	if p.writes < checkpointAfter {
		return
	}
	select {
	case p.due <- struct{}{}:
		p.writes = 0
	default: // one is running
	}
}

func newGroupCommit(db *DB) *groupCommit {
	ctx, stop := context.WithCancel(context.Background())
	c := &groupCommit{db: db, turn: make(chan struct{}, 1), checkpoints: &checkpoints{due: make(chan struct{}), stop: stop}}
	c.checkpoints.ended.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.checkpoints.due:
			}
			if err := c.checkpoint(ctx); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "checkpoint", slog.String("cause", err.Error()))
			}
		}
	})
	return c
}

// checkpoint copies the log while writes continue. Then it makes writes wait and
// copies the few pages that they have added, so that the next write begins the
// log anew.
func (c *groupCommit) checkpoint(ctx context.Context) error {
	for range 10 {
		left, err := c.copyLog(ctx)
		if err != nil {
			return err
		}
		if left <= fewPages {
			break
		}
	}
	c.turn <- struct{}{}
	defer c.unlock()
	c.commit()
	_, err := c.copyLog(ctx)
	return err
}

// copyLog copies the pages in the log that no reader needs, and returns how
// many are left.
func (c *groupCommit) copyLog(ctx context.Context) (left int, err error) {
	var blocked, logged, copied int
	err = c.db.reads.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&blocked, &logged, &copied)
	return logged - copied, err
}

// close ends the background work.
func (c *groupCommit) close() {
	c.checkpoints.stop()
	c.checkpoints.ended.Wait()
}
