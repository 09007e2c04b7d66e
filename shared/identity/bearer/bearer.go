// Package bearer finds out for whom an access token speaks: the signature
// first, then, in one statement, the account and whether the login lives. It
// implements [endpoint.Authenticator].
package bearer

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/store"
)

// A Check authenticates bearer tokens. It is safe for concurrent use.
type Check struct {
	Keys *token.Keys
	DB   *store.DB
	Now  func() time.Time
}

var _ endpoint.Authenticator = (*Check)(nil)

// Verify returns what the token says. It makes no database call.
func (c *Check) Verify(raw string) (token.Claims, error) {
	if raw == "" {
		return token.Claims{}, token.ErrMissing
	}
	return c.Keys.Verify(raw, c.Now())
}

// SignedIn returns the caller that the claims of a verified token name. A login
// that was ended gets [signin.ErrRevoked] at once. It is one statement.
func (c *Check) SignedIn(ctx context.Context, claims token.Claims) (token.Caller, error) {
	who, err := c.DB.SignedIn(ctx, claims.Subject, claims.Login, c.Now())
	if err != nil {
		return token.Caller{}, err
	}
	return token.Caller{Account: who, Login: claims.Login}, nil
}
