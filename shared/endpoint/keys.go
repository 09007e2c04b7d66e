package endpoint

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// verifyKey checks the form of an API key, and that the route accepts keys.
func verifyKey(r *http.Request, plain string) (credential, error) {
	digest, err := apikey.Parse(plain)
	if err == nil && scopeOf(r) == "" && defense.KeyScopes {
		err = apikey.ErrNotAccepted
	}
	if err != nil {
		exchangeOf(r).keyResult = fault.Of(err).Code
		return credential{}, err
	}
	return credential{key: digest, isKey: true}, nil
}

// scopeOf returns the scope of the route of r, or "".
func scopeOf(r *http.Request) apikey.Scope {
	if g := exchangeOf(r).gateway; g != nil {
		return g.routes[r.Pattern].Scope
	}
	return ""
}

// keyHolder returns the caller of r, who sent the API key with the digest. Requests
// with one key are limited wherever they come from.
func (a *Authenticator) keyHolder(ctx context.Context, r *http.Request, digest apikey.Digest) (Caller, error) {
	x := exchangeOf(r)
	c, err := a.authenticateKey(ctx, r, x, digest)
	if x.keyResult = KeyAccepted; err != nil {
		x.keyResult = fault.Of(err).Code
	}
	return c, err
}

func (a *Authenticator) authenticateKey(ctx context.Context, r *http.Request, x *exchange, digest apikey.Digest) (Caller, error) {
	key, owner, err := a.Logins.APIKey(ctx, digest)
	if err != nil {
		return Caller{}, err
	}
	now := a.Now()
	x.user, x.key = string(owner.ID), string(key.ID)
	switch {
	case key.Expired(now) && defense.LiveLogin:
		return Caller{}, apikey.ErrExpired
	case !key.Scopes.Contains(scopeOf(r)) && defense.KeyScopes:
		return Caller{}, apikey.ErrScope
	}
	if g := x.gateway; g != nil {
		if err := g.Limits.Account(ctx, ratelimit.APIKey, string(key.ID)); err != nil {
			return Caller{}, err
		}
	}
	if key.UseIsNew(now) {
		_ = a.Logins.RecordKeyUse(ctx, key.ID, now) // best effort: the next request records it
	}
	defense.Pause(defense.Admitted)
	return Caller{Account: owner, Key: key.ID, Origin: x.origin}, nil
}
