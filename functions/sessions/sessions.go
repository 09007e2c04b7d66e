// Package sessions is the function behind /api/sessions: the conversation
// sessions of the caller. Somebody else's do not exist here.
package sessions

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/document"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/token"
)

// A Function keeps conversation sessions.
type Function struct {
	Callers endpoint.Authenticator
	DB      *store.DB
	PerUser int // sessions that one user may have, see [setup.SessionsPerUser]
	Now     func() time.Time
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	const ok, made, none = http.StatusOK, http.StatusCreated, http.StatusNoContent
	return endpoint.Routes{
		{Pattern: "GET /api/sessions", Handler: endpoint.Authed(f.Callers, ok, f.list)},
		{Pattern: "POST /api/sessions", Handler: endpoint.Authed(f.Callers, made, f.create)},
		{Pattern: "GET /api/sessions/{id}", Handler: endpoint.Authed(f.Callers, ok, f.one)},
		{Pattern: "PATCH /api/sessions/{id}", Handler: endpoint.Authed(f.Callers, ok, f.change)},
		{Pattern: "DELETE /api/sessions/{id}", Handler: endpoint.Authed(f.Callers, none, f.delete)},
	}
}

type page struct{ endpoint.PageQuery }

func (f *Function) list(ctx context.Context, caller token.Caller, q page) (endpoint.List, error) {
	rows, err := f.DB.Sessions(ctx, caller.Account.ID, store.Page{
		Before: q.Before, Skip: q.Skip, Limit: q.Limit + 1, Bytes: endpoint.MaxPage,
	})
	if err != nil {
		return endpoint.List{}, err
	}
	id := func(s conversation.Session) string { return string(s.ID) }
	same := func(s conversation.Session) conversation.Session { return s }
	return endpoint.PageOf(q.PageQuery, rows, id, same)
}

type create struct {
	Title   string                             `json:"title"`
	Context endpoint.Optional[json.RawMessage] `json:"context"`

	title   string
	content document.Object
}

// Validate parses every field; no context is the empty one.
func (q *create) Validate() error {
	var wrong fault.Fields
	wrong.Require(q.Title != "", "title")
	q.title = fault.ParseField(&wrong, "title", q.Title, conversation.ParseTitle)
	q.content = parseContext(&wrong, q.Context)
	return wrong.Err()
}

func parseContext(wrong *fault.Fields, sent endpoint.Optional[json.RawMessage]) document.Object {
	if !sent.Set || sent.Null {
		return document.Empty
	}
	return fault.ParseField(wrong, "context", sent.Value, conversation.ParseContext)
}

// A created session is answered with where it is.
type created struct{ conversation.Session }

// Header sets the Location.
func (c created) Header(h http.Header) { h.Set("Location", "/api/sessions/"+string(c.ID)) }

func (f *Function) create(ctx context.Context, caller token.Caller, q create) (created, error) {
	now := f.Now().UTC().Truncate(time.Microsecond)
	s := conversation.Session{
		ID: conversation.NewID(), UserID: caller.Account.ID, Title: q.title, Context: q.content,
		CreatedAt: now, UpdatedAt: now,
	}
	return created{s}, f.DB.CreateSession(ctx, caller.Proof(), s, f.PerUser)
}

// A byID request names a session in its path.
type byID struct{ id conversation.ID }

// Bind reads the id from the path.
func (q *byID) Bind(r *http.Request) (err error) {
	q.id, err = conversation.ParseID(r.PathValue("id"))
	return err
}

func (f *Function) one(ctx context.Context, caller token.Caller, q byID) (conversation.Session, error) {
	return f.DB.Session(ctx, caller.Account.ID, q.id)
}

// A change request changes the fields that are present; a context of null
// empties it.
type change struct {
	Title   endpoint.Optional[string]          `json:"title"`
	Context endpoint.Optional[json.RawMessage] `json:"context"`

	byID

	title   *string
	content *document.Object
}

// Validate parses the fields that are present.
func (q *change) Validate() error {
	var wrong fault.Fields
	if q.Title.Set {
		title := fault.ParseField(&wrong, "title", q.Title.Value, conversation.ParseTitle)
		q.title = &title
	}
	if q.Context.Set {
		content := parseContext(&wrong, q.Context)
		q.content = &content
	}
	return wrong.Err()
}

func (f *Function) change(ctx context.Context, caller token.Caller, q change) (conversation.Session, error) {
	return f.DB.ChangeSession(ctx, caller.Proof(), q.id, q.title, q.content, f.Now())
}

func (f *Function) delete(ctx context.Context, caller token.Caller, q byID) (endpoint.None, error) {
	return endpoint.None{}, f.DB.DeleteSession(ctx, caller.Proof(), q.id, f.Now())
}
