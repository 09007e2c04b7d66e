package store

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
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
	User   account.ID // the user whom they concern
	Names  []audit.Name
	Since  time.Time // the earliest time
	Until  time.Time // the time before which they happened
	Before string    // the id of the last event of the previous page
	Limit  int
}

// auditSkew is how far the time of an event may be from that in its id. No request and no
// batch lasts that long.
const auditSkew = time.Hour

// latest returns a query for the latest events that f selects, newest first, and its
// arguments. It reads no others: ids begin with the time, and each part of the query is a
// range of one index. Comparing rows, and sorting by all columns of the index, leaves no
// choice of another one, from which the database would expect to find matches soon.
func (f AuditFilter) latest() (query string, args []any) {
	from, to := oldest, Page{Before: f.Before}.before()
	if !f.Since.IsZero() {
		from = uid.Since(f.Since.Add(-auditSkew))
	}
	if !f.Until.IsZero() {
		to = min(to, uid.Since(f.Until.Add(auditSkew)))
	}
	arg := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	low, high, limit, exactly := arg(from), arg(to), arg(f.Limit), ""
	if !f.Since.IsZero() {
		exactly += " AND at >= " + arg(at(f.Since))
	}
	if !f.Until.IsZero() {
		exactly += " AND at < " + arg(at(f.Until))
	}
	of := func(columns, values string) string {
		return fmt.Sprintf("SELECT %s FROM audit_events WHERE (%sid) > (%s%s) AND (%[2]sid) < (%[3]s%[5]s)%s ORDER BY %[7]sid DESC LIMIT %s",
			eventColumns, columns, values, low, high, exactly, strings.ReplaceAll(columns, ",", " DESC,"), limit)
	}
	columns, values := "", ""
	if f.User != "" {
		columns, values = "user_id, ", arg(string(f.User))+", "
	}
	if len(f.Names) == 0 {
		return of(columns, values), args
	}
	parts := make([]string, len(f.Names))
	for i, name := range f.Names {
		parts[i] = "SELECT * FROM (" + of(columns+"event, ", values+arg(string(name))+", ") + ") AS of_a_name"
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY id DESC LIMIT " + limit, args
}

// AuditEvents returns the latest events that the filter selects, newest first.
func (s *Statements) AuditEvents(ctx context.Context, f AuditFilter) ([]audit.Event, error) {
	query, args := f.latest()
	list, err := s.events(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("audit events: %w", err)
	}
	return list, nil
}

// A NamedEvent is an event with the present e-mail addresses of the accounts that it
// names. An address is "" if there is no such account any more.
type NamedEvent struct {
	audit.Event

	UserEmail, ActorEmail account.Email
}

// NamedEvents is [Statements.AuditEvents] with e-mail addresses.
func (s *Statements) NamedEvents(ctx context.Context, f AuditFilter) ([]NamedEvent, error) {
	query, args := f.latest()
	list := make([]NamedEvent, 0, f.Limit)
	err := queryList(ctx, s, &list, func(row scanner) error {
		var e NamedEvent
		dest := append(eventDest(&e.Event), nullTextScanner[account.Email]{&e.UserEmail}, nullTextScanner[account.Email]{&e.ActorEmail})
		if err := row.Scan(dest...); err != nil {
			return err
		}
		list = append(list, e)
		return nil
	}, `
		SELECT `+eventColumns+`,
			(SELECT email FROM users WHERE users.id = page.user_id),
			(SELECT email FROM users WHERE users.id = page.actor_id)
		FROM (`+query+`) AS page ORDER BY id DESC`, args...)
	if err != nil {
		return nil, fmt.Errorf("audit events with e-mail addresses: %w", err)
	}
	return list, nil
}

// AuditOf returns at most limit of the latest events that concern the user,
// newest first.
func (s *Statements) AuditOf(ctx context.Context, user account.ID, limit int) ([]audit.Event, error) {
	return s.AuditEvents(ctx, AuditFilter{User: user, Limit: limit})
}
