// Package logout is the function behind POST /api/auth/logout. It ends a login,
// or all logins of a user, and clears the refresh cookie. Access tokens of an
// ended login stop working at once. Begin with Function.logout.
package logout

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// A Function ends logins.
type Function struct {
	DB      *store.DB
	Tokens  *token.Issuer
	Desired *desired.Recorder
	Now     func() time.Time
}

// Routes returns the routes of the function.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "POST /api/auth/logout", Handler: endpoint.JSON(http.StatusNoContent, f.logout)},
	}
}

type request struct {
	RefreshToken     secret.String `json:"refresh_token"`
	KeepAppPasswords bool          `json:"keep_app_passwords"` // only if all is set
	KeepAPIKeys      bool          `json:"keep_api_keys"`      // only if all is set

	all    bool          // end every login of the user
	access string        // the bearer token, "" for none
	cookie secret.String // the refresh cookie, "" for none
}

// Bind reads what else can identify the login.
func (q *request) Bind(r *http.Request) (err error) {
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
		return err // without looking at the cookie
	}
	if err := endpoint.CheckOrigin(r); err != nil {
		return err // a form of another site must not clear the cookie
	}
	q.cookie, err = token.FromCookie(r)
	return err
}

// A loggedOut response is empty and clears the refresh cookie.
type loggedOut struct{ endpoint.None }

// Header clears the refresh cookie.
func (loggedOut) Header(h http.Header) { token.ClearCookie(h) }

func (f *Function) logout(ctx context.Context, from audit.Origin, q request) (loggedOut, error) {
	now := f.Now()
	c, err := f.claim(q, now)
	defense.Pause(defense.Admitted)
	switch {
	case err != nil:
		return loggedOut{}, err
	case c.login == "" && q.all:
		return loggedOut{}, token.ErrMissing
	case c.login == "":
		return loggedOut{}, nil // there is no login to end
	}
	err = f.DB.Update(ctx, func(tx *store.Tx) error { return f.end(ctx, tx, c, from, q, now) })
	if err == nil && q.all {
		f.Desired.Wake()
	}
	return loggedOut{}, err
}

// A claim is the login that a request identifies.
type claim struct {
	login   signin.ID // "" for none
	refresh bool      // a refresh token identifies it
	counter int64     // of the refresh token
}

// claim reads the access token; without one, the refresh token in the body;
// without either, the cookie. It ignores an invalid cookie: a browser could
// otherwise never get rid of it.
func (f *Function) claim(q request, now time.Time) (claim, error) {
	if q.access != "" {
		claims, err := f.Tokens.Access.Verify(q.access, now)
		return claim{login: claims.Login}, err
	}
	raw := q.RefreshToken
	if raw == "" {
		raw = q.cookie
	}
	id, counter, err := f.Tokens.Refresh.Decode(raw.Reveal())
	switch {
	case err == nil:
		return claim{id, true, counter}, nil
	case q.RefreshToken == "":
		return claim{}, nil
	}
	return claim{}, err
}

// end ends the login that c identifies, or all logins of its user, and audits
// those that were live. Any genuine refresh token ends the login that it belongs
// to, however old it is. It ends other logins only if a refresh would accept it,
// since a thief may have sent an older one.
func (f *Function) end(ctx context.Context, tx *store.Tx, c claim, from audit.Origin, q request, now time.Time) error {
	known, err := tx.Login(ctx, c.login)
	l := known.Login
	switch {
	case errors.Is(err, signin.ErrInvalidRefresh) && q.all:
		return token.ErrMissing
	case errors.Is(err, signin.ErrInvalidRefresh):
		return nil // it ended long ago and was deleted
	case err != nil:
		return err
	case q.all && !l.Active(now) && defense.LiveLogin:
		return signin.ErrRevoked // an ended login cannot end others
	}
	decision := signin.Rotate
	if c.refresh {
		decision = signin.Decide(l, c.counter, now, f.Tokens.Grace)
	}
	switch {
	case decision == signin.Reuse:
		return endOne(ctx, tx, l, audit.RefreshReused, from, now)
	case decision == signin.Unknown && q.all:
		return decision.Err()
	case q.all:
		return f.endAll(ctx, tx, l, from, q, now)
	}
	return endOne(ctx, tx, l, audit.LoggedOut, from, now)
}

func endOne(ctx context.Context, tx *store.Tx, l signin.Login, why audit.Name, from audit.Origin, now time.Time) error {
	ended, err := tx.RevokeLogin(ctx, l.UserID, l.ID, string(why), now)
	if err != nil || !ended {
		return err
	}
	return tx.Audit(ctx, eventOf(l, why, from, now))
}

// endAll ends all logins of the user of l and, unless q keeps them, revokes the app
// passwords and API keys.
func (f *Function) endAll(ctx context.Context, tx *store.Tx, l signin.Login, from audit.Origin, q request, now time.Time) error {
	by, err := tx.Authorize(ctx, signin.NewProof(l.UserID, l.ID), now)
	if err != nil {
		return err
	}
	event := eventOf(l, audit.LoggedOutAll, from, now)
	revoker := revocation.Revoker{Desired: f.Desired}
	ended, err := revoker.EndAll(ctx, tx, by, event, revocation.Keep{AppPasswords: q.KeepAppPasswords, APIKeys: q.KeepAPIKeys})
	if err != nil || !ended {
		return err
	}
	return tx.Audit(ctx, event)
}

func eventOf(l signin.Login, what audit.Name, from audit.Origin, now time.Time) audit.Event {
	event := audit.New(what, l.UserID, from, now)
	event.Login = l.ID
	return event
}
