// Package grant makes what a client gets when it signs in or refreshes: the
// pair of tokens of one login (RFC 6749 section 5.1), in the body or with the
// refresh token in a cookie.
package grant

import (
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// The ways a refresh token travels.
const (
	Body   = "body"
	Cookie = "cookie"
)

// An Issuer signs access tokens and derives refresh tokens.
type Issuer struct {
	Access  *token.Keys
	Refresh *signin.Codec
	Logins  signin.Lifetimes
	Grace   time.Duration // in which a used refresh token is answered again
}

// ReadIssuer reads [signin.ReadLifetimes] and REFRESH_TOKEN_GRACE_SECONDS (30).
func ReadIssuer(env *config.Env, access *token.Keys, refresh *signin.Codec) *Issuer {
	return &Issuer{
		Access: access, Refresh: refresh, Logins: signin.ReadLifetimes(env),
		Grace: time.Duration(env.Int("REFRESH_TOKEN_GRACE_SECONDS", int(signin.Grace/time.Second), 0, int(signin.MaxGrace/time.Second))) * time.Second,
	}
}

// A Pair is the answer to a sign-in or a refresh. A refresh token that travels
// as a cookie is not in the body, where scripts could read it.
type Pair struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int    `json:"expires_in"` // seconds
	RefreshToken     string `json:"refresh_token,omitempty"`
	RefreshExpiresIn int    `json:"refresh_expires_in"` // seconds

	Role account.Role `json:"role"` // as of now; clients choose by it what they show

	cookie *http.Cookie
}

// Header sets the cookie where the client asked for one.
func (p Pair) Header(h http.Header) {
	if p.cookie != nil {
		h.Add("Set-Cookie", p.cookie.String())
	}
}

// Pair returns the tokens of the login as it stands. Made twice for one state
// of the login, the refresh token is the same.
func (i *Issuer) Pair(l signin.Login, role account.Role, transport string, now time.Time) (Pair, error) {
	access, err := i.Access.Sign(l, role, now)
	if err != nil {
		return Pair{}, err
	}
	refresh := i.Refresh.Encode(l.ID, l.Counter).Reveal()
	p := Pair{
		AccessToken: access, TokenType: "bearer", Role: role,
		ExpiresIn:        int(i.Access.Lifetime(l, now) / time.Second),
		RefreshExpiresIn: int(l.End().Sub(now.Truncate(time.Microsecond)) / time.Second), // as the login keeps time
	}
	if transport == Cookie {
		p.cookie = refreshCookie(refresh, p.RefreshExpiresIn)
	} else {
		p.RefreshToken = refresh
	}
	return p, nil
}

// A SignedOut is the empty answer that takes the cookie away.
type SignedOut struct{ endpoint.None }

// Header clears the cookie.
func (SignedOut) Header(h http.Header) { h.Add("Set-Cookie", refreshCookie("", -1).String()) }

func refreshCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: endpoint.RefreshCookie, Value: value, Path: "/api/auth", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
