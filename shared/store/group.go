package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"
)

// maxGroup bounds the writes of a group, and so how long the first waits for
// the last.
const maxGroup = 64

// groupCommit runs the writes of a database that allows one writer at a time.
// Writes that wait for each other share a transaction, so that one sync of the
// disk makes all of them durable. A write returns after that sync. Each runs in
// a savepoint: if it fails, the others take effect.
type groupCommit struct {
	db     *DB
	queued atomic.Int64  // writes that wait for turn
	turn   chan struct{} // holds one value while a write runs

	// These are guarded by turn.
	open      *group    // the group that the next write joins; may be nil
	refused   error     // why the last group could not begin
	refusedAt time.Time // when that was

	checkpoints *checkpoints
}

// A group is a transaction of several writes.
type group struct {
	conn   *sql.Conn
	writes int
	done   chan struct{} // closed when the group has ended
	err    error         // why it was not committed; valid after done
}

// run calls fn with a transaction, and returns when its changes are durable. If
// fn returns an error or panics, its changes are undone. The statements of fn
// must not be interrupted, because SQLite would roll back the whole group.
func (c *groupCommit) run(ctx context.Context, fn func(on executor) error) error {
	g, err := c.join(ctx, time.Now(), fn)
	if g == nil {
		return err
	}
	<-g.done
	if g.err != nil && err == nil {
		err = g.err
	}
	c.db.noteRefusal(err)
	return err
}

// join runs fn in the open group, and commits the group unless another write
// waits to join it. It returns no group if fn did not run. since is when the
// write was requested.
func (c *groupCommit) join(ctx context.Context, since time.Time, fn func(on executor) error) (*group, error) {
	if err := c.lock(ctx); err != nil {
		return nil, err
	}
	defer c.unlock()
	if err := c.begin(ctx, since); err != nil {
		return nil, fmt.Errorf("begin: %w", c.db.readError(ctx, err))
	}
	g := c.open
	g.writes++
	return g, c.inSavepoint(fn)
}

// lock waits for the turn until ctx ends.
func (c *groupCommit) lock(ctx context.Context) error {
	c.queued.Add(1)
	select {
	case c.turn <- struct{}{}:
		c.queued.Add(-1)
		return nil
	case <-ctx.Done():
		c.queued.Add(-1)
		go func() { // the write before may have left the commit to this one
			c.turn <- struct{}{}
			c.unlock()
		}()
		return ctx.Err()
	}
}

// unlock commits the open group unless another write waits to join it, and ends
// the turn.
func (c *groupCommit) unlock() {
	if c.queued.Load() == 0 || c.open != nil && c.open.writes >= maxGroup {
		c.commit()
	}
	<-c.turn
}

// begin opens a group if none is open. If another process has kept the database
// locked for as long as SQLite waits, all writes that waited meanwhile get the
// same error: each by itself would wait as long again.
func (c *groupCommit) begin(ctx context.Context, since time.Time) error {
	if c.open != nil {
		return nil
	}
	if c.refusedAt.After(since) {
		return c.refused
	}
	conn, err := c.db.sql.Conn(ctx)
	if err != nil {
		return err
	}
	g := &group{conn: conn, done: make(chan struct{})}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		conn.Close()
		if ctx.Err() == nil {
			c.refused, c.refusedAt = err, time.Now()
		}
		return err
	}
	c.open = g
	return nil
}

// inSavepoint calls fn, and undoes what it changed if it fails.
func (c *groupCommit) inSavepoint(fn func(on executor) error) error {
	if err := c.open.exec("SAVEPOINT a_write"); err != nil {
		return c.abort(err)
	}
	succeeded := false
	defer func() {
		if succeeded {
			return
		}
		if err := c.open.exec("ROLLBACK TO a_write; RELEASE a_write"); err != nil {
			_ = c.abort(err)
		}
	}()
	if err := fn(c.open.conn); err != nil {
		return err
	}
	succeeded = true
	if err := c.open.exec("RELEASE a_write"); err != nil {
		return c.abort(err)
	}
	return nil
}

// abort ends the open group because its transaction is gone: SQLite rolls it
// back after some errors, such as a full disk. It returns the error of the
// group.
func (c *groupCommit) abort(err error) error {
	err = ErrUnavailable.Because(err)
	c.end(err)
	return err
}

// commit commits the open group, if there is one.
func (c *groupCommit) commit() {
	if c.open == nil {
		return
	}
	c.checkpoints.written(c.open.writes)
	if err := c.open.exec("COMMIT"); err != nil {
		c.end(fmt.Errorf("commit: %w", c.db.writeError(err)))
		return
	}
	c.end(nil)
}

// end ends the open group with an error, or nil after a commit.
func (c *groupCommit) end(err error) {
	g := c.open
	c.open = nil
	if err != nil {
		_ = g.exec("ROLLBACK") // fails if SQLite has done so
	}
	g.conn.Close()
	g.err = err
	close(g.done)
}

func (g *group) exec(query string) error {
	_, err := g.conn.ExecContext(context.Background(), query)
	return err
}
