package store

import (
	"context"
	"fmt"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/signin"
)

// Audit inserts e.
func (s *Statements) Audit(ctx context.Context, e audit.Event) error {
	_, err := s.exec(ctx, `
		INSERT INTO audit_events (id, at, event, user_id, actor_id, login_id, address, device,
			correlation_id, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.ID, at(e.At), string(e.Name), orNull(e.User), orNull(e.Actor), orNull(e.Login),
		e.Origin.Address, e.Origin.Device, e.Origin.CorrelationID, e.Detail)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// AuditOf returns the last events that concern the user, newest first, at most
// limit.
func (s *Statements) AuditOf(ctx context.Context, user account.ID, limit int) ([]audit.Event, error) {
	list := []audit.Event{}
	err := s.each(ctx, func(row scanner) error {
		var e audit.Event
		err := row.Scan(&e.ID, instant{&e.At}, &e.Name, maybeText[account.ID]{&e.User},
			maybeText[account.ID]{&e.Actor}, maybeText[signin.ID]{&e.Login},
			&e.Origin.Address, &e.Origin.Device, &e.Origin.CorrelationID, &e.Detail)
		if err != nil {
			return err
		}
		list = append(list, e)
		return nil
	}, `
		SELECT id, at, event, user_id, actor_id, login_id, address, device, correlation_id, detail
		FROM audit_events WHERE user_id = $1 ORDER BY id DESC LIMIT $2`, string(user), limit)
	if err != nil {
		return nil, fmt.Errorf("audit of user: %w", err)
	}
	return list, nil
}
