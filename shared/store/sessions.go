package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

const sessionColumns = `sessions.id, sessions.user_id, sessions.title, sessions.context,
	sessions.created_at, sessions.updated_at`

func sessionDest(c *conversation.Session) []any {
	return []any{&c.ID, &c.UserID, &c.Title, &c.Context, timeScanner{&c.CreatedAt}, timeScanner{&c.UpdatedAt}}
}

// CreateSession inserts c, a session of the caller, or returns
// [conversation.ErrTooMany] if the caller has limit sessions, even with
// concurrent calls. Like all statements that write for a caller, it returns
// [signin.ErrRevoked] if the proof no longer holds.
//
// users.session_bound is an upper bound: it increases with every session and
// does not decrease when one is deleted. So the sessions are counted only when
// the bound reaches the limit.
func (db *DB) CreateSession(ctx context.Context, by signin.Proof, c conversation.Session, limit int) error {
	for range 2 {
		made, err := db.insertSession(ctx, by, c, limit)
		if err != nil {
			return fmt.Errorf("create session: %w", err)
		}
		if made {
			return nil
		}
		if err := db.countSessions(ctx, by, limit, c.CreatedAt); err != nil {
			return fmt.Errorf("count sessions: %w", err)
		}
	}
	return conversation.ErrTooMany // concurrent calls created the last ones
}

const (
	sessionBound = `COALESCE(session_bound, (SELECT COUNT(*) FROM sessions WHERE user_id = users.id))`
	raiseBound   = `UPDATE users SET session_bound = ` + sessionBound + ` + 1
		WHERE id = $2 AND ` + sessionBound + ` < $1`
)

// insertSession reports whether the proof holds and the limit allows another
// session. On PostgreSQL it is one statement, which locks the user before the
// login or the API key, as [DB.UpdateAs] does. If that has ended, it increases the bound
// for nothing. SQLite cannot write two tables in one statement.
func (db *DB) insertSession(
	ctx context.Context, by signin.Proof, c conversation.Session, limit int,
) (made bool, err error) {
	const insert = `INSERT INTO sessions (id, user_id, title, context, created_at, updated_at) `
	if db.Engine() == PostgreSQL {
		table, alive := `logins`, `logins.revoked_at IS NULL AND logins.expires_at > $4`
		if by.Key() != "" {
			table, alive = `api_keys AS logins`, `(logins.expires_at IS NULL OR logins.expires_at > $4)`
		}
		args := db.liveArgs(by, c.CreatedAt)
		id, since := args[0], args[3]
		n, err := db.exec(ctx, `
			WITH raised AS (`+raiseBound+` AND disabled_at IS NULL RETURNING id),
			live AS (
				SELECT logins.id FROM raised JOIN `+table+` ON logins.user_id = raised.id
				WHERE logins.id = $3 AND `+alive+` AND logins.created_at > $9 FOR SHARE OF logins)
			`+insert+`SELECT $5, raised.id, $6, $7, $4, $8 FROM raised, live`,
			limit, string(by.User()), id, at(c.CreatedAt),
			string(c.ID), c.Title, c.Context.String(), at(c.UpdatedAt), since)
		return n > 0, err
	}
	err = db.UpdateAs(ctx, by, c.CreatedAt, func(tx *Tx, _ Actor) error {
		n, err := tx.exec(ctx, raiseBound, limit, string(by.User()))
		if made = n > 0; err != nil || !made {
			return err
		}
		_, err = tx.exec(ctx, insert+`VALUES ($1, $2, $3, $4, $5, $6)`,
			string(c.ID), string(by.User()), c.Title, c.Context.String(), at(c.CreatedAt), at(c.UpdatedAt))
		return err
	})
	return made, err
}

// countSessions lowers the bound of the caller to the number of sessions, or
// returns [conversation.ErrTooMany] or [signin.ErrRevoked]. A concurrent insert
// increases the bound, which makes the transaction run again.
func (db *DB) countSessions(ctx context.Context, by signin.Proof, limit int, now time.Time) error {
	if _, err := db.Holds(ctx, by, now); err != nil {
		return err
	}
	var n int
	err := db.queryRow(ctx, nil, []any{&n}, `SELECT COUNT(*) FROM sessions WHERE user_id = $1`, string(by.User()))
	if err != nil {
		return err
	}
	if n >= limit {
		return conversation.ErrTooMany
	}
	return db.UpdateAs(ctx, by, now, func(tx *Tx, _ Actor) error {
		_, err := tx.exec(ctx, `
			UPDATE users SET session_bound = (SELECT COUNT(*) FROM sessions WHERE user_id = users.id)
			WHERE id = $1`, string(by.User()))
		return err
	})
}

// Session returns the session of the user, or [conversation.ErrNotFound], also
// for sessions of other users.
func (s *Statements) Session(
	ctx context.Context, user account.ID, id conversation.ID,
) (conversation.Session, error) {
	var c conversation.Session
	err := s.queryRow(ctx, conversation.ErrNotFound, sessionDest(&c),
		`SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND `+defense.SQL(defense.OwnersOnly, `user_id = $2`), string(id), string(user))
	if err != nil {
		return conversation.Session{}, fmt.Errorf("session: %w", err)
	}
	return c, nil
}

// Sessions returns a page of the sessions of the user, newest first. With
// [Page.Before], the cost does not depend on the depth.
func (s *Statements) Sessions(ctx context.Context, user account.ID, p Page) ([]conversation.Session, error) {
	list := []conversation.Session{}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var c conversation.Session
		if err := row.Scan(sessionDest(&c)...); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	}, `
		SELECT `+sessionColumns+` FROM sessions WHERE id IN `+idsWithinBytes(`
			SELECT id, octet_length(context) AS size FROM sessions
			WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3 OFFSET $4`, "$5")+`
		ORDER BY id DESC`,
		string(user), p.before(), p.Limit, p.Skip, p.bytes())
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return list, nil
}

// ChangeSession sets the title and the context of the caller's session unless
// they are nil, and returns the result or [conversation.ErrNotFound].
// Concurrent changes of different fields do not overwrite each other.
func (s *Statements) ChangeSession(
	ctx context.Context, by signin.Proof, id conversation.ID,
	title *string, content *document.Object, now time.Time,
) (conversation.Session, error) {
	var c conversation.Session
	err := s.queryRow(ctx, errNoMatch, sessionDest(&c), `
		UPDATE sessions SET title = COALESCE($6, title), context = COALESCE($7, context), updated_at = $3
		WHERE id = $5 AND `+defense.SQL(defense.OwnersOnly, `user_id = $2`)+` AND `+s.whileLive(by)+` RETURNING `+sessionColumns,
		s.liveArgs(by, now, string(id), title, (*string)(content))...)
	if errors.Is(err, errNoMatch) {
		err = s.whyUnmatched(ctx, by, now, conversation.ErrNotFound)
	}
	if err != nil {
		return conversation.Session{}, fmt.Errorf("change session: %w", err)
	}
	return c, nil
}

// DeleteSession deletes the caller's session, or returns
// [conversation.ErrNotFound].
func (s *Statements) DeleteSession(ctx context.Context, by signin.Proof, id conversation.ID, now time.Time) error {
	n, err := s.exec(ctx, `
		DELETE FROM sessions WHERE id = $5 AND `+defense.SQL(defense.OwnersOnly, `user_id = $2`)+` AND `+s.whileLive(by),
		s.liveArgs(by, now, string(id))...)
	if err == nil && n == 0 {
		err = s.whyUnmatched(ctx, by, now, conversation.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}
