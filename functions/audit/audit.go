// Package audit is the function behind GET /api/audit, which shows administrators the audit
// trail. It only reads; packages audit and trail in shared write the trail and verify it.
// Begin with [Function.Routes].
package audit

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// A Function shows the audit trail.
type Function struct {
	Auth *endpoint.Authenticator
	DB   *store.DB
}

// Routes returns the route of the function.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{{Pattern: "GET /api/audit", Handler: endpoint.AdminOnly(f.Auth, http.StatusOK, f.list)}}
}

type list struct {
	page   endpoint.PageQuery
	filter store.AuditFilter
}

var (
	errBadID   = fault.New(fault.Invalid, "invalid_id", "Must be the id of a user.")
	errBadTime = fault.New(fault.Invalid, "invalid_time", "Must be a time such as 2026-03-01T12:00:00Z.")
)

// Bind reads the page and the filter. The only way to a later page is the cursor, whose
// cost does not grow with the depth.
func (q *list) Bind(r *http.Request) error {
	if err := q.page.Bind(r); err != nil {
		return err
	}
	var wrong fault.Fields
	q.filter = store.AuditFilter{
		User:   fault.ParseField(&wrong, "user_id", q.page.Param("user_id"), parseUser),
		Names:  fault.ParseField(&wrong, "event", q.page.Params("event"), audit.ParseNames),
		Since:  fault.ParseField(&wrong, "since", q.page.Param("since"), parseTime),
		Until:  fault.ParseField(&wrong, "until", q.page.Param("until"), parseTime),
		Before: q.page.Before,
		Limit:  q.page.Limit + 1,
	}
	since, until := q.filter.Since, q.filter.Until
	wrong.Check(until.IsZero() || until.After(since), "until", "not_after_since", "Must be later than since.")
	wrong.Check(q.page.Skip == 0, "skip", "not_allowed", "This list has a cursor only.")
	return wrong.Err()
}

// parseUser parses the id of a user, who may be deleted; "" is none.
func parseUser(s string) (account.ID, error) {
	if s == "" {
		return "", nil
	}
	id, err := account.ParseID(s)
	if err != nil {
		return "", errBadID
	}
	return id, nil
}

// parseTime parses a time (RFC 3339); "" is none.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errBadTime
	}
	return t, nil
}

// An entry is one event. Its addresses of accounts are the present ones.
type entry struct {
	ID            string         `json:"id"`
	At            time.Time      `json:"at"`
	Event         audit.Name     `json:"event"`
	Alarming      bool           `json:"alarming"`    // it needs attention at once
	UserID        *account.ID    `json:"user_id"`     // whom it concerns; null if unknown
	UserEmail     *account.Email `json:"user_email"`  // null if there is no such account (any more)
	ActorID       *account.ID    `json:"actor_id"`    // who did it; null for the user
	ActorEmail    *account.Email `json:"actor_email"` // null if there is no such account (any more)
	LoginID       *signin.ID     `json:"login_id"`    // null for none
	Detail        string         `json:"detail"`
	Address       string         `json:"address"` // "" if no request caused the event
	Device        string         `json:"device"`
	CorrelationID string         `json:"correlation_id"`
}

func entryOf(e store.NamedEvent) entry {
	return entry{
		ID: e.ID, At: e.At, Event: e.Name, Alarming: e.Alarming(),
		UserID: orNull(e.User), UserEmail: orNull(e.UserEmail), ActorID: orNull(e.Actor), ActorEmail: orNull(e.ActorEmail),
		LoginID: orNull(e.Login), Detail: e.Detail,
		Address: e.Origin.Address, Device: e.Origin.Device, CorrelationID: e.Origin.CorrelationID,
	}
}

func orNull[S ~string](s S) *S {
	if s == "" {
		return nil
	}
	return &s
}

func (f *Function) list(ctx context.Context, _ endpoint.Admin, q list) (endpoint.List, error) {
	events, err := f.DB.NamedEvents(ctx, q.filter)
	if err != nil {
		return endpoint.List{}, err
	}
	return endpoint.NewList(q.page, events, func(e store.NamedEvent) string { return e.ID }, entryOf)
}
