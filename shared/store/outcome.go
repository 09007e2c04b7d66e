package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// ErrUnavailable is returned if the database cannot be reached, does not answer
// in time, stays locked or has no room. Nothing was changed.
var ErrUnavailable = fault.New(fault.Unavailable, "database_unavailable",
	"The database is not available. Try again shortly.").After(2 * time.Second)

// ErrOutcomeUnknown is returned if the connection was lost after the database
// was asked for a change and before it answered. The change may have been made,
// or may still be made, so the store does not repeat it.
var ErrOutcomeUnknown = fault.New(fault.Unavailable, "outcome_unknown",
	"The database did not confirm the change, which may have been made. Check before you repeat it.").
	After(2 * time.Second)

// statementError returns the error of a statement as callers get it. A single
// statement is committed before it is answered, so if its connection is lost,
// its outcome is unknown. A transaction is rolled back.
func (s *Statements) statementError(ctx context.Context, query string, err error) error {
	if s.alone() && writes(query) {
		err = s.writeError(err)
		s.noteRefusal(err)
		return err
	}
	return s.readError(ctx, err)
}

// noteRefusal records that a change failed because of the database; see [DB.Ping].
func (s *Statements) noteRefusal(err error) {
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrOutcomeUnknown) {
		s.refused.Store(true)
	}
}

// tryChange adds a row and removes it.
func (db *DB) tryChange(ctx context.Context) error {
	return db.Update(ctx, func(tx *Tx) error {
		row := []byte(rand.Text())
		if _, err := tx.exec(ctx, "INSERT INTO rate_limits (key, kept, allowed) VALUES ($1, 0, TRUE)", row); err != nil {
			return err
		}
		_, err := tx.exec(ctx, "DELETE FROM rate_limits WHERE key = $1", row)
		return err
	})
}

// writes reports whether a query may change the database.
func writes(query string) bool { return !strings.HasPrefix(strings.TrimSpace(query), "SELECT") }

// readError returns the error of a statement that changes nothing, or nothing
// yet.
func (s *Statements) readError(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		err = ctx.Err() // the end of ctx has rolled the transaction back
	}
	if err != nil && s.dialect.Unavailable(err) {
		return ErrUnavailable.Because(err)
	}
	return err
}

// writeError returns the error of a statement that changes something.
func (s *Statements) writeError(err error) error {
	switch {
	case err == nil || !s.dialect.Unavailable(err):
		return err
	case s.dialect.NotApplied(err):
		return ErrUnavailable.Because(err)
	}
	return ErrOutcomeUnknown.Because(err)
}

// commitError returns the error of a commit. database/sql returns the bare
// error of ctx, or [sql.ErrTxDone], only if it has not sent the commit.
func (db *DB) commitError(ctx context.Context, err error) error {
	if err == ctx.Err() || errors.Is(err, sql.ErrTxDone) { //nolint:errorlint // only the bare error
		return db.readError(ctx, err)
	}
	return db.writeError(err)
}
