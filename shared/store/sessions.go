package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/document"
	"github.com/voiceassist/gateway/shared/signin"
)

const sessionColumns = `sessions.id, sessions.user_id, sessions.title, sessions.context,
	sessions.created_at, sessions.updated_at`

func sessionDest(c *conversation.Session) []any {
	return []any{&c.ID, &c.UserID, &c.Title, &c.Context, instant{&c.CreatedAt}, instant{&c.UpdatedAt}}
}

// CreateSession inserts c, a session of the caller. It returns
// [signin.ErrRevoked] where their proof does not hold any more, as all that
// writes for a caller does.
func (s *Statements) CreateSession(ctx context.Context, by signin.Proof, c conversation.Session) error {
	n, err := s.exec(ctx, `
		INSERT INTO sessions (id, user_id, title, context, created_at, updated_at)
		SELECT $4, $2, $5, $6, $3, $7 WHERE `+s.whileProved(),
		proofArgs(by, c.CreatedAt, string(c.ID), c.Title, c.Context.String(), at(c.UpdatedAt))...)
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	if n == 0 {
		return signin.ErrRevoked
	}
	return nil
}

// Session returns the user's session, or [conversation.ErrNotFound], also when
// it is somebody else's.
func (s *Statements) Session(
	ctx context.Context, user account.ID, id conversation.ID,
) (conversation.Session, error) {
	var c conversation.Session
	err := s.one(ctx, conversation.ErrNotFound, sessionDest(&c),
		`SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND user_id = $2`, string(id), string(user))
	if err != nil {
		return conversation.Session{}, fmt.Errorf("session: %w", err)
	}
	return c, nil
}

// Sessions returns a page of the user's sessions, newest first. With
// [Page.Before] the cost is the same at any depth.
func (s *Statements) Sessions(ctx context.Context, user account.ID, p Page) ([]conversation.Session, error) {
	list := []conversation.Session{}
	err := s.each(ctx, func(row scanner) error {
		var c conversation.Session
		if err := row.Scan(sessionDest(&c)...); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	}, `
		SELECT `+sessionColumns+` FROM sessions WHERE user_id = $1 AND id < $2
		ORDER BY id DESC LIMIT $3 OFFSET $4`, string(user), p.before(), p.Limit, p.Skip)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return list, nil
}

// ChangeSession sets what is not nil of the caller's session and returns the
// result, or [conversation.ErrNotFound]. Concurrent changes of different fields
// both hold.
func (s *Statements) ChangeSession(
	ctx context.Context, by signin.Proof, id conversation.ID,
	title *string, content *document.Object, now time.Time,
) (conversation.Session, error) {
	var c conversation.Session
	err := s.one(ctx, errNoMatch, sessionDest(&c), `
		UPDATE sessions SET title = COALESCE($5, title), context = COALESCE($6, context), updated_at = $3
		WHERE id = $4 AND user_id = $2 AND `+s.whileProved()+` RETURNING `+sessionColumns,
		proofArgs(by, now, string(id), title, (*string)(content))...)
	if err == errNoMatch {
		err = s.unmatched(ctx, by, now, conversation.ErrNotFound)
	}
	if err != nil {
		return conversation.Session{}, fmt.Errorf("change session: %w", err)
	}
	return c, nil
}

// DeleteSession removes the caller's session; it returns
// [conversation.ErrNotFound] when there is none.
func (s *Statements) DeleteSession(ctx context.Context, by signin.Proof, id conversation.ID, now time.Time) error {
	n, err := s.exec(ctx, `
		DELETE FROM sessions WHERE id = $4 AND user_id = $2 AND `+s.whileProved(),
		proofArgs(by, now, string(id))...)
	if err == nil && n == 0 {
		err = s.unmatched(ctx, by, now, conversation.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}
