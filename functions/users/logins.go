package users

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// A login is a device as its owner sees it.
type login struct {
	ID        signin.ID `json:"id"`
	Device    string    `json:"device"`
	Address   string    `json:"address"`
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current"` // the login of this request
}

type page struct{ endpoint.PageQuery }

func (f *Function) logins(ctx context.Context, caller endpoint.Caller, q page) (endpoint.List, error) {
	live, err := f.DB.Logins(ctx, caller.Account.ID, store.Page{Before: q.Before, Skip: q.Skip, Limit: q.Limit + 1}, f.Now())
	if err != nil {
		return endpoint.List{}, err
	}
	id := func(l signin.Login) string { return string(l.ID) }
	return endpoint.NewList(q.PageQuery, live, id, func(l signin.Login) login {
		return login{
			ID: l.ID, Device: l.Device, Address: l.Address, CreatedAt: l.CreatedAt,
			LastUsed: l.RotatedAt, ExpiresAt: l.End(), Current: l.ID == caller.Login,
		}
	})
}

// A session is the caller's login, for clients that show the remaining time. The
// remaining times are those of the login; the timeouts are the current settings.
type session struct {
	AbsoluteTimeout     int       `json:"absolute_timeout_hours"`     // 0 for none
	InactivityTimeout   int       `json:"inactivity_timeout_minutes"` // 0 for none
	AbsoluteRemaining   *int      `json:"absolute_remaining_seconds"`
	InactivityRemaining *int      `json:"inactivity_remaining_seconds"`
	StartedAt           time.Time `json:"session_started_at"`
	LastActivityAt      time.Time `json:"last_activity_at"` // a login or a refresh
}

// session returns how long the caller's login will last.
func (f *Function) session(ctx context.Context, caller endpoint.Caller, _ endpoint.None) (session, error) {
	is, err := f.DB.Login(ctx, caller.Login)
	l, now := is.Login, f.Now()
	switch {
	case errors.Is(err, signin.ErrInvalidRefresh), err == nil && !l.Active(now):
		return session{}, signin.ErrRevoked // after the token was checked
	case err != nil:
		return session{}, err
	}
	until := func(end time.Time) *int {
		if end.IsZero() {
			return nil
		}
		return new(int(end.Sub(now) / time.Second))
	}
	return session{
		AbsoluteTimeout: int(f.Logins.Absolute / time.Hour), InactivityTimeout: int(f.Logins.Idle / time.Minute),
		AbsoluteRemaining: until(l.EndsAt), InactivityRemaining: until(l.ExpiresAt),
		StartedAt: l.CreatedAt, LastActivityAt: l.RotatedAt,
	}, nil
}

type endLogin struct{ id signin.ID }

// Bind reads the id.
func (q *endLogin) Bind(r *http.Request) (err error) {
	q.id, err = signin.ParseID(r.PathValue("id"))
	return err
}

// endLogin ends a login of the caller. It does not find logins of other users
// or those that are over.
func (f *Function) endLogin(ctx context.Context, caller endpoint.Caller, q endLogin) (endpoint.None, error) {
	now := f.Now()
	event := caller.Event(audit.LoginRevoked, caller.Account.ID, now)
	event.Login = q.id
	return endpoint.None{}, f.DB.UpdateAs(ctx, caller.Proof(), now, func(tx *store.Tx, _ store.Actor) error {
		live, err := tx.RevokeLogin(ctx, caller.Account.ID, q.id, string(audit.LoginRevoked), now)
		if err != nil {
			return err
		}
		if !live {
			return signin.ErrNotFound
		}
		return tx.Audit(ctx, event)
	})
}
