package endpoint

import (
	"context"
	"net/http"
	"strings"

	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/token"
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

// Authenticate returns who sent r and notes it for the log event.
func Authenticate(ctx context.Context, a Authenticator, r *http.Request) (token.Caller, error) {
	bearer, err := Bearer(r)
	if err != nil {
		return token.Caller{}, err
	}
	caller, err := a.Authenticate(ctx, bearer)
	if err != nil {
		return token.Caller{}, err
	}
	exchangeOf(r).user = string(caller.Account.ID)
	return caller, nil
}
