// Package token makes and checks access tokens: JWTs (RFC 7519) in the profile
// of RFC 9068, signed with the one configured algorithm.
//
// [Keys] sign and verify. A verified token says which account and login it was
// made for; whether that login is still live, only the store knows, so requests
// are authenticated by endpoint.Authenticator. The package follows RFC 8725: one algorithm, an
// explicit type, issuer and audience always checked, headers that could bring
// keys along refused.
package token

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// DefaultLifetime is that of an access token unless configured otherwise.
const DefaultLifetime = 15 * time.Minute

// What is allowed for clocks that differ (RFC 7519 section 4.1.4: a few minutes
// at most). A token that is refused as issued in the future signs its client out,
// and accepting it gives nobody more than waiting would; one that has expired is
// refreshed, so less will do.
const (
	IssuedAtLeeway = 30 * time.Second // how far in the future a token may be issued
	ExpiryLeeway   = 10 * time.Second // how long a token is accepted after its end
)

// What a request with no token, or with one that is not accepted, gets.
var (
	ErrMissing = fault.New(fault.Unauthenticated, "missing_token", "An access token is required, as Authorization: Bearer.")
	ErrInvalid = fault.New(fault.InvalidToken, "invalid_token", "The token is invalid.")
	ErrExpired = fault.New(fault.InvalidToken, "token_expired", "The token has expired. Refresh it or log in again.")
)

// Claims are what a verified access token says.
type Claims struct {
	Subject   account.ID   // sub
	Login     signin.ID    // sid
	Role      account.Role // as of signing; decisions ask the store
	IssuedAt  time.Time
	ExpiresAt time.Time
	ID        string // jti
}
