// Package token issues and verifies tokens: access tokens, which are JWTs (RFC
// 7519) in the profile of RFC 9068, and the token response with the refresh
// token.
//
// [Keys] sign and verify access tokens, an [Issuer] issues the token response
// to a login or a refresh. A verified token says for which account and login it
// was issued. Only the store knows whether that login is still live, so
// endpoint.Authenticator authenticates requests. The package follows RFC 8725:
// one algorithm, an explicit type, checks of issuer and audience, and no header
// that could bring a key along.
//
// It does no I/O and imports account, signin and crypto. Begin with
// [Issuer.Issue].
package token

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// DefaultLifetime is the default lifetime of an access token.
const DefaultLifetime = 15 * time.Minute

// Leeways for clocks that differ (RFC 7519 section 4.1.4: a few minutes at most).
// Refusing a token as issued in the future logs its client out, while accepting it
// grants no more than waiting would. Clients refresh an expired token, so the other
// leeway is shorter.
const (
	IssuedAtLeeway = 30 * time.Second // how far in the future a token may be issued
	ExpiryLeeway   = 10 * time.Second // how long a token is accepted after its end
)

// Errors of requests without a token, or with one that is not accepted.
var (
	ErrMissing = fault.New(fault.Unauthenticated, "missing_token", "An access token is required, as Authorization: Bearer.")
	ErrInvalid = fault.New(fault.InvalidToken, "invalid_token", "The token is invalid.")
	ErrExpired = fault.New(fault.InvalidToken, "token_expired", "The token has expired. Refresh it or log in again.")
)

// Claims are the content of a verified token.
type Claims struct {
	Subject   account.ID   // sub
	Login     signin.ID    // sid
	Role      account.Role // at the time of signing; decisions ask the store
	IssuedAt  time.Time
	ExpiresAt time.Time
	ID        string // jti
}
