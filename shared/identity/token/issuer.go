package token

import (
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// How a [Response] carries the refresh token.
const (
	InBody   = "body"
	InCookie = "cookie"
)

// An Issuer issues the tokens of logins: access tokens, which it signs, and
// refresh tokens, which it derives from the state of the login. It is safe for
// concurrent use.
type Issuer struct {
	Access  *Keys
	Refresh *signin.Codec
	Logins  signin.Lifetimes
	Grace   time.Duration // during which a used refresh token is accepted again
}

// A Response is the token response (RFC 6749 section 5.1) to a login or a
// refresh. A refresh token in a cookie is not in the body as well, where scripts
// could read it.
type Response struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int    `json:"expires_in"` // seconds
	RefreshToken     string `json:"refresh_token,omitempty"`
	RefreshExpiresIn int    `json:"refresh_expires_in"` // seconds

	Role account.Role `json:"role"` // the present one, for clients to choose what they show

	cookie *http.Cookie
}

// Header sets the refresh cookie if the client asked for one.
func (r Response) Header(h http.Header) {
	if r.cookie != nil {
		h.Add("Set-Cookie", r.cookie.String())
	}
}

// Issue returns tokens for the login in its present state. The refresh token is
// always the same for the same state.
func (i *Issuer) Issue(l signin.Login, role account.Role, transport string, now time.Time) (Response, error) {
	access, err := i.Access.Sign(l, role, now)
	if err != nil {
		return Response{}, err
	}
	refresh := i.Refresh.Encode(l.ID, l.Counter).Reveal()
	r := Response{
		AccessToken: access, TokenType: "bearer", Role: role,
		ExpiresIn:        int(i.Access.Lifetime(l, now) / time.Second),
		RefreshExpiresIn: int(l.End().Sub(now.Truncate(time.Microsecond)) / time.Second), // logins have times in whole microseconds
	}
	if transport == InCookie {
		r.cookie = refreshCookie(refresh, r.RefreshExpiresIn)
	} else {
		r.RefreshToken = refresh
	}
	return r, nil
}

// Lifetime returns how long an access token issued to the login now is valid.
// It never outlives the absolute end of the login.
func (k *Keys) Lifetime(l signin.Login, now time.Time) time.Duration {
	if l.EndsAt.IsZero() {
		return k.lifetime
	}
	return min(k.lifetime, l.EndsAt.Sub(now))
}

// Sign returns a new access token (RFC 9068 section 2.2) for the login, whose
// account has the role.
func (k *Keys) Sign(l signin.Login, role account.Role, now time.Time) (string, error) {
	s := k.set.Load()
	t := jwt.NewWithClaims(s.method, k.wireOf(Claims{
		Subject: l.UserID, Login: l.ID, Role: role, IssuedAt: now, ExpiresAt: now.Add(k.Lifetime(l, now)), ID: uid.New(),
	}, s.audience))
	t.Header = headerOf(s.method.Alg(), s.ids[0])
	raw, err := t.SignedString(s.signing)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return raw, nil
}
