package mfa

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/store"
)

// A verifyLogin request answers the challenge of a login. Clients know the challenge
// as user_id.
type verifyLogin struct {
	Challenge    string        `json:"user_id" validate:"required"`
	Code         secret.String `json:"code" validate:"required"`
	IsBackupCode bool          `json:"is_backup_code"` // accepted and ignored: the form of the code says it
	Transport    string        `json:"transport" validate:"omitempty,oneof=body cookie"`

	foreign error // if a page of another origin sent the request
}

// Bind checks the origin, see [verifyLogin.transport].
func (q *verifyLogin) Bind(r *http.Request) error {
	q.foreign = endpoint.CheckOrigin(r)
	return nil
}

// transport returns how the response carries the refresh token: as this request says,
// or as the login said. Pages of other origins cannot set the cookie.
func (q *verifyLogin) transport(c mfa.Challenge) (string, error) {
	transport := cmp.Or(q.Transport, token.InBody)
	if q.Transport == "" && c.Cookie {
		transport = token.InCookie
	}
	if transport == token.InCookie {
		return transport, q.foreign
	}
	return transport, nil
}

// verifyLogin starts the login whose challenge and code the request contains. All
// of it is one transaction: the code, the challenge and the try are used up if and
// only if the login starts, and a wrong code is counted.
func (f *Function) verifyLogin(ctx context.Context, from audit.Origin, q verifyLogin) (token.Response, error) {
	now := f.Now()
	c, err := f.Challenges.Decode(q.Challenge, now)
	if err != nil {
		return token.Response{}, err
	}
	transport, err := q.transport(c)
	if err != nil {
		return token.Response{}, err
	}
	defense.Pause(defense.Admitted)
	l := signin.Start(c.User, from.Device, from.Address, now, f.Tokens.Logins)
	refused, started := audit.New(audit.CodeRefused, c.User, from, now), audit.New(audit.LoggedIn, c.User, from, now)
	refused.Detail, started.Login = audit.ToLogIn, l.ID
	var role account.Role
	err = f.Codes.Attempt(ctx, mfa.ErrBadLoginCode, refused, func(tx *store.Tx) error {
		who, hash, err := tx.AccountAndHash(ctx, c.User)
		if err == nil && (who.Disabled() || !c.ProvedPassword(hash) || !who.SecondFactor()) {
			err = mfa.ErrChallengeExpired
		}
		if err != nil {
			return err
		}
		if err := tx.TryChallenge(ctx, c); err != nil {
			return err
		}
		factor, err := tx.SecondFactor(ctx, c.User)
		if err != nil {
			return err
		}
		if err := f.Codes.Take(ctx, tx, factor, mfa.ParseCode(q.Code), refused); err != nil {
			return err
		}
		if err := tx.SpendChallenge(ctx, c); err != nil {
			return err
		}
		role = who.Role
		return tx.StartLoginWithCode(ctx, l, hash, started, f.Outbox)
	})
	if errors.Is(err, account.ErrNotFound) { // deleted since
		err = mfa.ErrChallengeExpired
	}
	if err != nil {
		return token.Response{}, err
	}
	return f.Tokens.Issue(l, role, transport, now)
}
