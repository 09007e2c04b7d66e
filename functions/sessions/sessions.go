// Package sessions is the function behind /api/sessions, the conversation
// sessions of the caller. Sessions of other users are not found. Begin with
// [Function.Routes].
package sessions

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/validation"
)

// A Function manages conversation sessions.
type Function struct {
	Auth    *endpoint.Authenticator
	DB      *store.DB
	PerUser int // sessions that one user may have, see [Settings]
	Now     func() time.Time
}

// Settings bound the sessions of each user.
type Settings struct {
	PerUser int // sessions
}

// Load loads SESSIONS_PER_USER.
func (s *Settings) Load(r setting.Reader) {
	const usual, most = 10_000, 1_000_000
	s.PerUser = r.Int("SESSIONS_PER_USER", usual, 1, most)
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	const ok, made, none = http.StatusOK, http.StatusCreated, http.StatusNoContent
	return endpoint.Routes{
		{Pattern: "GET /api/sessions", Handler: endpoint.Authenticated(f.Auth, ok, f.list), Scope: apikey.SessionsRead},
		{Pattern: "POST /api/sessions", Handler: endpoint.Authenticated(f.Auth, made, f.create, validation.Check), Scope: apikey.SessionsWrite},
		{Pattern: "GET /api/sessions/{id}", Handler: endpoint.Authenticated(f.Auth, ok, f.one), Scope: apikey.SessionsRead},
		{Pattern: "PATCH /api/sessions/{id}", Handler: endpoint.Authenticated(f.Auth, ok, f.change, validation.Check), Scope: apikey.SessionsWrite},
		{Pattern: "DELETE /api/sessions/{id}", Handler: endpoint.Authenticated(f.Auth, none, f.delete), Scope: apikey.SessionsWrite},
	}
}

type page struct{ endpoint.PageQuery }

func (f *Function) list(ctx context.Context, caller endpoint.Caller, q page) (endpoint.List, error) {
	rows, err := f.DB.Sessions(ctx, caller.Account.ID, store.Page{
		Before: q.Before, Skip: q.Skip, Limit: q.Limit + 1, Bytes: endpoint.MaxPage,
	})
	if err != nil {
		return endpoint.List{}, err
	}
	id := func(s conversation.Session) string { return string(s.ID) }
	same := func(s conversation.Session) conversation.Session { return s }
	return endpoint.NewList(q.PageQuery, rows, id, same)
}

type create struct {
	Title   string                             `json:"title" validate:"required,title"`
	Context endpoint.Optional[json.RawMessage] `json:"context" validate:"context"` // absent or null is the empty one
}

// A created response contains the new session and its location.
type created struct{ conversation.Session }

// Header sets the Location header.
func (c created) Header(h http.Header) { h.Set("Location", "/api/sessions/"+string(c.ID)) }

func (f *Function) create(ctx context.Context, caller endpoint.Caller, q create) (created, error) {
	title, err := conversation.ParseTitle(q.Title)
	if err != nil {
		return created{}, err
	}
	content, err := conversation.ParseContext(q.Context.Value)
	if err != nil {
		return created{}, err
	}
	now := f.Now().UTC().Truncate(time.Microsecond)
	s := conversation.Session{
		ID: conversation.NewID(), UserID: caller.Account.ID, Title: title, Context: content,
		CreatedAt: now, UpdatedAt: now,
	}
	return created{s}, f.DB.CreateSession(ctx, caller.Proof(), s, f.PerUser)
}

// A byID request has the id of a session in its path.
type byID struct{ id conversation.ID }

// Bind reads the id.
func (q *byID) Bind(r *http.Request) (err error) {
	q.id, err = conversation.ParseID(r.PathValue("id"))
	return err
}

func (f *Function) one(ctx context.Context, caller endpoint.Caller, q byID) (conversation.Session, error) {
	return f.DB.Session(ctx, caller.Account.ID, q.id)
}

// A change request changes the members that are present. null resets the
// context to the empty one.
type change struct {
	Title   endpoint.Optional[string]          `json:"title" validate:"omitempty,title"`
	Context endpoint.Optional[json.RawMessage] `json:"context" validate:"context"`

	byID
}

func (f *Function) change(ctx context.Context, caller endpoint.Caller, q change) (conversation.Session, error) {
	title, err := endpoint.ParseOptional(q.Title, conversation.ParseTitle)
	if err != nil {
		return conversation.Session{}, err
	}
	content, err := endpoint.ParseOptional(q.Context, conversation.ParseContext)
	if err != nil {
		return conversation.Session{}, err
	}
	return f.DB.ChangeSession(ctx, caller.Proof(), q.id, title, content, f.Now())
}

func (f *Function) delete(ctx context.Context, caller endpoint.Caller, q byID) (endpoint.None, error) {
	return endpoint.None{}, f.DB.DeleteSession(ctx, caller.Proof(), q.id, f.Now())
}
