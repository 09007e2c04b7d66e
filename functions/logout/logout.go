// Package logout is the function behind POST /api/auth/logout: it ends a login,
// or all of a user's, and takes the refresh cookie away. Access tokens of an
// ended login stop working at once.
package logout

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/grant"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/token"
)

// A Function ends logins.
type Function struct {
	DB     *store.DB
	Tokens *grant.Issuer
	Now    func() time.Time
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "POST /api/auth/logout", Handler: endpoint.JSON(http.StatusNoContent, f.logout)},
	}
}

type request struct {
	RefreshToken config.Secret `json:"refresh_token"`

	all    bool          // every login of the user
	access string        // the bearer token, "" for none
	cookie config.Secret // the refresh cookie, "" for none
	origin audit.Origin
}

// Bind notes what else may tell which login is meant.
func (q *request) Bind(r *http.Request) (err error) {
	q.origin = endpoint.Origin(r)
	switch all := r.URL.Query().Get("all"); all {
	case "", "false":
	case "true":
		q.all = true
	default:
		var wrong fault.Fields
		wrong.Check(false, "all", "not_allowed", "Must be true or false.")
		return wrong.Err()
	}
	if q.access, err = endpoint.Bearer(r); err != nil || q.access != "" || q.RefreshToken != "" {
		return err // the cookie has no say then
	}
	q.cookie, err = endpoint.RefreshToken(r)
	return err
}

func (f *Function) logout(ctx context.Context, q request) (grant.SignedOut, error) {
	now := f.Now()
	l, err := f.login(ctx, q, now)
	switch {
	case err != nil:
		return grant.SignedOut{}, err
	case l.ID == "" && !q.all:
		return grant.SignedOut{}, nil // nobody is logged in: that is what was asked for
	case l.ID == "":
		return grant.SignedOut{}, token.ErrMissing
	case q.all && !l.Active(now):
		return grant.SignedOut{}, signin.ErrRevoked // an ended login has no say over others
	}
	return grant.SignedOut{}, f.end(ctx, l, q, now)
}

// login returns the login that the request speaks for, by the access token, else
// by the refresh token in the body, else by the cookie; none is the zero login.
// Any genuine refresh token will do, however old: it only ends what it belongs
// to. A cookie that is not genuine counts as none, or a browser could never get
// rid of it.
func (f *Function) login(ctx context.Context, q request, now time.Time) (signin.Login, error) {
	var id signin.ID
	switch {
	case q.access != "":
		claims, err := f.Tokens.Access.Verify(q.access, now)
		if err != nil {
			return signin.Login{}, err
		}
		id = claims.Login
	case q.RefreshToken != "":
		var err error
		if id, _, err = f.Tokens.Refresh.Decode(q.RefreshToken.Reveal()); err != nil {
			return signin.Login{}, err
		}
	default:
		var err error
		if id, _, err = f.Tokens.Refresh.Decode(q.cookie.Reveal()); err != nil {
			return signin.Login{}, nil //nolint:nilerr // see above
		}
	}
	known, err := f.DB.Login(ctx, id)
	if errors.Is(err, signin.ErrInvalidRefresh) {
		return signin.Login{}, nil // long over, and forgotten
	}
	return known.Login, err
}

// end ends l, or all logins of its user, and audits what was live.
func (f *Function) end(ctx context.Context, l signin.Login, q request, now time.Time) error {
	name := audit.LoggedOut
	if q.all {
		name = audit.LoggedOutAll
	}
	event := audit.New(name, l.UserID, q.origin, now)
	event.Login = l.ID
	return f.DB.Update(ctx, func(tx *store.Tx) error {
		ended, err := f.revoke(ctx, tx, l, q.all, string(name), now)
		if err != nil || !ended {
			return err
		}
		return tx.Audit(ctx, event)
	})
}

func (*Function) revoke(
	ctx context.Context, tx *store.Tx, l signin.Login, all bool, reason string, now time.Time,
) (bool, error) {
	if !all {
		return tx.RevokeLogin(ctx, l.UserID, l.ID, reason, now)
	}
	const keepNone = signin.ID("")
	n, err := tx.RevokeLogins(ctx, l.UserID, keepNone, reason, now)
	return n > 0, err
}
