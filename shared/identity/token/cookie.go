package token

import (
	"net/http"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// RefreshCookie is the name of the cookie that carries the refresh token for
// clients that ask for it. Browsers refuse a cookie with this prefix unless it is
// Secure (RFC 6265bis section 4.1.3.1).
const RefreshCookie = "__Secure-refresh_token"

var errManyCookies = fault.New(fault.Malformed, "several_cookies",
	"The request has several refresh cookies. Another site of the same domain has set one.")

// FromCookie returns the refresh token in the cookie of r, or "" without a
// cookie. It refuses several cookies: a sibling domain may have set one of them
// with the token of another user, and no request shows which (RFC 6265 section
// 8.6).
func FromCookie(r *http.Request) (secret.String, error) {
	switch cookies := r.CookiesNamed(RefreshCookie); {
	case len(cookies) == 0:
		return "", nil
	case len(cookies) == 1, !defense.SingleCookie:
		return secret.String(cookies[0].Value), nil
	default:
		return "", errManyCookies
	}
}

// ClearCookie makes the browser delete the refresh cookie.
func ClearCookie(h http.Header) { h.Add("Set-Cookie", refreshCookie("", -1).String()) }

func refreshCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: RefreshCookie, Value: value, Path: "/api/auth", MaxAge: maxAge,
		Secure: true, HttpOnly: defense.CookieAttributes, SameSite: http.SameSiteStrictMode,
	}
}
