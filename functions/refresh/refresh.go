// Package refresh is the function behind POST /api/auth/refresh. It exchanges a
// refresh token for new tokens (RFC 6749 section 6, with the rotation of RFC
// 9700 section 4.14.2). A client that did not receive the response repeats the
// request within the grace period. Begin with Function.refresh.
package refresh

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

var (
	errMissing = fault.New(fault.Unauthenticated, "missing_token",
		"A refresh token is required, in the body or as the cookie.")
	errContended = fault.New(fault.Unavailable, "contended",
		"Too many requests refresh this login at the same time. Try again.").After(time.Second)
)

// A Function refreshes logins.
type Function struct {
	DB     *store.DB
	Tokens *token.Issuer
	Outbox *mail.Outbox
	Limits *ratelimit.Limiter
	Now    func() time.Time
}

// Routes returns the routes of the function.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "POST /api/auth/refresh", Handler: endpoint.JSON(http.StatusOK, f.refresh), Limit: ratelimit.Refresh},
	}
}

type request struct {
	RefreshToken secret.String `json:"refresh_token"`

	transport string // of the token, in the request and in the response
}

// Bind reads the cookie if the body contains no token.
func (q *request) Bind(r *http.Request) error {
	q.transport = token.InBody
	if q.RefreshToken != "" {
		return nil
	}
	cookie, err := token.FromCookie(r)
	if err != nil {
		return err
	}
	if cookie == "" {
		return errMissing
	}
	q.RefreshToken, q.transport = cookie, token.InCookie
	return nil
}

// attempts limits the loop of [Function.refresh]. It usually takes one round, and
// a second one if another request refreshes the login between two statements.
const attempts = 3

func (f *Function) refresh(ctx context.Context, from audit.Origin, q request) (token.Response, error) {
	id, counter, err := f.Tokens.Refresh.Decode(q.RefreshToken.Reveal())
	if err != nil {
		return token.Response{}, err // a forged token costs no database access
	}
	if err := f.Limits.Account(ctx, ratelimit.Refresh, string(id)); err != nil {
		return token.Response{}, err
	}
	now := f.Now()
	defense.Pause(defense.Admitted)
	for range attempts {
		next, matched, err := f.DB.RotateLogin(ctx, id, counter, from.Address, now, now.Add(f.Tokens.Logins.Idle))
		if err != nil {
			return token.Response{}, err
		}
		if matched {
			return f.Tokens.Issue(next.Login, next.Role, q.transport, now)
		}
		is, err := f.DB.Login(ctx, id)
		if err != nil {
			return token.Response{}, err
		}
		switch decision := signin.Decide(is.Login, counter, now, f.Tokens.Grace); decision {
		case signin.Rotate:
			continue
		case signin.Repeat:
			return f.Tokens.Issue(is.Login, is.Role, q.transport, now)
		case signin.Reuse:
			return token.Response{}, f.revoke(ctx, is.Login, from, now)
		default:
			return token.Response{}, decision.Err()
		}
	}
	return token.Response{}, errContended
}

// revoke ends a login after one of its tokens was used twice, since someone else
// has a copy. The revocation commits although the request fails.
func (f *Function) revoke(ctx context.Context, l signin.Login, from audit.Origin, now time.Time) error {
	err := f.DB.Update(ctx, func(tx *store.Tx) error {
		live, err := tx.RevokeLogin(ctx, l.UserID, l.ID, string(audit.RefreshReused), now)
		if err != nil || !live {
			return err
		}
		event := audit.New(audit.RefreshReused, l.UserID, from, now)
		event.Login = l.ID
		if err := f.notify(ctx, tx, event); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return err
	}
	f.Outbox.Wake()
	return signin.ErrReused
}

// notify tells the user that somebody used a copy of a token.
func (f *Function) notify(ctx context.Context, tx *store.Tx, event audit.Event) error {
	if f.Outbox == nil || !f.Outbox.Notices {
		return nil
	}
	a, err := tx.Account(ctx, event.User)
	if err != nil {
		return err
	}
	return f.Outbox.Notice(ctx, tx, mail.TokenReused, a, event)
}
