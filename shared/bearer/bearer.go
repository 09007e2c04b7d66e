// Package bearer finds out for whom an access token speaks: the signature
// first, then, in one statement, the account and whether the login lives. It
// implements [endpoint.Authenticator].
package bearer

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/token"
)

// A Check authenticates bearer tokens. It is safe for concurrent use.
type Check struct {
	Keys *token.Keys
	DB   *store.DB
	Now  func() time.Time
}

var _ endpoint.Authenticator = (*Check)(nil)

// Authenticate returns who sent the token. A token that we did not sign costs
// no database call; one of a login that was ended gets login_revoked at once.
func (c *Check) Authenticate(ctx context.Context, raw string) (token.Caller, error) {
	if raw == "" {
		return token.Caller{}, token.ErrMissing
	}
	now := c.Now()
	claims, err := c.Keys.Verify(raw, now)
	if err != nil {
		return token.Caller{}, err
	}
	who, err := c.DB.SignedIn(ctx, claims.Subject, claims.Login, now)
	if err != nil {
		return token.Caller{}, err
	}
	return token.Caller{Account: who, Login: claims.Login}, nil
}
