package users

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/token"
)

// A login is one device as its owner sees it.
type login struct {
	ID        signin.ID `json:"id"`
	Device    string    `json:"device"`
	Address   string    `json:"address"`
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current"` // the one that asks
}

type page struct{ endpoint.PageQuery }

func (f *Function) logins(ctx context.Context, caller token.Caller, q page) (endpoint.List, error) {
	live, err := f.DB.Logins(ctx, caller.Account.ID, store.Page{Before: q.Before, Skip: q.Skip, Limit: q.Limit + 1}, f.Now())
	if err != nil {
		return endpoint.List{}, err
	}
	id := func(l signin.Login) string { return string(l.ID) }
	return endpoint.PageOf(q.PageQuery, live, id, func(l signin.Login) login {
		return login{
			ID: l.ID, Device: l.Device, Address: l.Address, CreatedAt: l.CreatedAt,
			LastUsed: l.RotatedAt, ExpiresAt: l.ExpiresAt, Current: l.ID == caller.Login,
		}
	})
}

type endLogin struct {
	id     signin.ID
	origin audit.Origin
}

// Bind reads the id from the path.
func (q *endLogin) Bind(r *http.Request) (err error) {
	q.origin = endpoint.Origin(r)
	q.id, err = signin.ParseID(r.PathValue("id"))
	return err
}

// endLogin ends one of the caller's own logins; that of somebody else, or one
// that is over, is not found.
func (f *Function) endLogin(ctx context.Context, caller token.Caller, q endLogin) (endpoint.None, error) {
	now := f.Now()
	event := audit.New(audit.LoginRevoked, caller.Account.ID, q.origin, now)
	event.Login = q.id
	return endpoint.None{}, f.DB.UpdateAs(ctx, caller.Proof(), now, func(tx *store.Tx, _ store.Confirmed) error {
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
