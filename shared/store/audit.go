package store

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

const insertEvents = `
	INSERT INTO audit_events (id, at, event, user_id, actor_id, login_id, address, device, correlation_id, detail)
	VALUES `

// eventRow returns the row for [insertEvents].
func eventRow(e audit.Event) []any {
	return []any{
		e.ID, at(e.At), string(e.Name), orNull(e.User), orNull(e.Actor), orNull(e.Login),
		e.Origin.Address, e.Origin.Device, e.Origin.CorrelationID, e.Detail,
	}
}

// Audit inserts e and, once it is committed, logs it.
func (s *Statements) Audit(ctx context.Context, e audit.Event) error {
	if _, err := s.exec(ctx, insertEvents+`($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, eventRow(e)...); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	s.audited(ctx, e)
	return nil
}

// audited logs e now or, within a transaction, after the commit.
func (s *Statements) audited(ctx context.Context, e audit.Event) {
	if s.pending != nil {
		*s.pending = append(*s.pending, e)
		return
	}
	s.LogEvent(ctx, e)
}

// LogEvent logs e without storing it, for events that are too many to store.
func (s *Statements) LogEvent(ctx context.Context, e audit.Event) {
	log, level := s.log, slog.LevelInfo
	if log == nil {
		log = slog.Default()
	}
	if e.Alarming() {
		level = slog.LevelWarn
	}
	log.LogAttrs(ctx, level, "audit", e.LogAttrs()...)
	if s.observeEvent != nil {
		s.observeEvent(e)
	}
}

const eventColumns = `id, at, event, user_id, actor_id, login_id, address, device, correlation_id, detail`

func eventDest(e *audit.Event) []any {
	return []any{
		&e.ID, timeScanner{&e.At}, &e.Name, nullTextScanner[account.ID]{&e.User},
		nullTextScanner[account.ID]{&e.Actor}, nullTextScanner[signin.ID]{&e.Login},
		&e.Origin.Address, &e.Origin.Device, &e.Origin.CorrelationID, &e.Detail,
	}
}

// events runs a query for events.
func (s *Statements) events(ctx context.Context, query string, args ...any) ([]audit.Event, error) {
	list := []audit.Event{}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var e audit.Event
		if err := row.Scan(eventDest(&e)...); err != nil {
			return err
		}
		list = append(list, e)
		return nil
	}, query, args...)
	return list, err
}

// An AuditFilter selects events. Empty fields select all.
type AuditFilter struct {
	User  account.ID // the user whom they concern
	Name  audit.Name
	Since time.Time
	Limit int
}

// auditSkew is how much earlier than the time of an event its id may have been made.
const auditSkew = 24 * time.Hour

// AuditEvents returns the latest events that the filter selects, newest first. It reads no
// older ones: ids begin with the time.
func (s *Statements) AuditEvents(ctx context.Context, f AuditFilter) ([]audit.Event, error) {
	query, args := `SELECT `+eventColumns+` FROM audit_events WHERE at >= $1 AND id > $3`, []any{at(f.Since), f.Limit, uid.Since(f.Since.Add(-auditSkew))}
	for _, part := range []struct{ column, value string }{{"user_id", string(f.User)}, {"event", string(f.Name)}} {
		if part.value != "" {
			args = append(args, part.value)
			query += fmt.Sprintf(` AND %s = $%d`, part.column, len(args))
		}
	}
	list, err := s.events(ctx, query+` ORDER BY id DESC LIMIT $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("audit events: %w", err)
	}
	return list, nil
}

// AuditOf returns at most limit of the latest events that concern the user,
// newest first.
func (s *Statements) AuditOf(ctx context.Context, user account.ID, limit int) ([]audit.Event, error) {
	return s.AuditEvents(ctx, AuditFilter{User: user, Since: time.Unix(0, 0), Limit: limit})
}
