package endpoint

import (
	"context"
	"net/http"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

var errManyTokens = fault.New(fault.Malformed, "several_tokens", "Send one Authorization header.")

// Bearer returns the token of the Authorization header (RFC 6750 section 2.1),
// "" where there is none or it is of another scheme.
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

// Authenticate returns who sent r and notes it for the log event. It is for
// handlers of [Raw]. One that acts after it has read a body, or waited for
// anything else, calls [Reconfirm] before.
func Authenticate(ctx context.Context, a Authenticator, r *http.Request) (token.Caller, error) {
	claims, err := verify(a, r)
	if err != nil {
		return token.Caller{}, err
	}
	return signedIn(ctx, a, r, claims)
}

// verify returns what the token of r says.
func verify(a Authenticator, r *http.Request) (token.Claims, error) {
	bearer, err := Bearer(r)
	if err != nil {
		return token.Claims{}, err
	}
	return a.Verify(bearer)
}

// signedIn returns the caller of r and notes it for the log event.
func signedIn(ctx context.Context, a Authenticator, r *http.Request, claims token.Claims) (token.Caller, error) {
	caller, err := a.SignedIn(ctx, claims)
	if err != nil {
		return token.Caller{}, err
	}
	exchangeOf(r).user = string(caller.Account.ID)
	return caller, nil
}

// Reconfirm reports whether what a request proved still holds: nil,
// [signin.ErrRevoked] or [signin.ErrAdminRequired]. It is for effects that no
// statement of ours makes, such as those in Nextcloud: call it right before them.
// A token that expired meanwhile does no harm, as the login may be refreshed.
func Reconfirm(ctx context.Context, a Authenticator, by signin.Proof) error {
	caller, err := a.SignedIn(ctx, token.Claims{Subject: by.User(), Login: by.Login()})
	if err == nil && by.Admin() {
		_, err = admin(caller)
	}
	return err
}
