package endpoint

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// An Authenticator finds out who sent a request by its bearer token: first it
// checks the signature, which costs no I/O, then it asks whether the login of the
// token is live. It is safe for concurrent use.
type Authenticator struct {
	Keys   *token.Keys
	Logins Logins
	Now    func() time.Time
}

// Logins knows which logins are live. The store implements it.
type Logins interface {
	// SignedIn returns the enabled account with that live login, or
	// [signin.ErrRevoked].
	SignedIn(ctx context.Context, id account.ID, login signin.ID, now time.Time) (account.Account, error)
}

var errManyTokens = fault.New(fault.Malformed, "several_tokens", "Send one Authorization header.")

// Bearer returns the token of the Authorization header (RFC 6750 section 2.1), or
// "" without the header or with another scheme.
func Bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) > 1 {
		return "", errManyTokens
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, credentials, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.Trim(credentials, " "), nil
}

// Authenticate returns the caller that sent r, and records the account for the log
// event of the request. It is for handlers of [Raw]. A handler that has read the
// body or waited for something else must call [Authenticator.Recheck] before it
// changes anything.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (Caller, error) {
	claims, err := a.verify(r)
	if err != nil {
		return Caller{}, err
	}
	return a.signedIn(ctx, r, claims)
}

// verify returns the claims of the token that r carries.
func (a *Authenticator) verify(r *http.Request) (token.Claims, error) {
	bearer, err := Bearer(r)
	if err != nil {
		return token.Claims{}, err
	}
	if bearer == "" {
		return token.Claims{}, token.ErrMissing
	}
	return a.Keys.Verify(bearer, a.Now())
}

// signedIn returns the caller of r, whose token has these claims, and records the
// account for the log event.
func (a *Authenticator) signedIn(ctx context.Context, r *http.Request, claims token.Claims) (Caller, error) {
	owner, err := a.Logins.SignedIn(ctx, claims.Subject, claims.Login, a.Now())
	if err != nil {
		return Caller{}, err
	}
	x := exchangeOf(r)
	x.user = string(owner.ID)
	defense.Pause(defense.Admitted)
	return Caller{Account: owner, Login: claims.Login, Origin: x.origin}, nil
}

// Recheck returns nil if the proof still holds, [signin.ErrRevoked] or
// [signin.ErrAdminRequired]. The store checks proofs in its statements; call
// Recheck immediately before an effect outside the store, such as one in
// Nextcloud. It accepts a token that has expired since: the client could refresh
// it.
func (a *Authenticator) Recheck(ctx context.Context, by signin.Proof) error {
	owner, err := a.Logins.SignedIn(ctx, by.User(), by.Login(), a.Now())
	if err == nil && by.Admin() && !owner.Admin() && defense.AdministratorsOnly {
		return signin.ErrAdminRequired
	}
	return err
}
