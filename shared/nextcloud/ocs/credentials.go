package ocs

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

var errNoCredentials = errors.New("no user, no password, or a colon in the user")

// Authenticate proves that the password opens the account and returns the
// account it opened. Compare its ID with the one that was meant: an e-mail
// address logs in, too, and it can be that of another account. A disabled
// account is [ErrUnauthorized] like a wrong password.
func (c *Client) Authenticate(ctx context.Context, user string, password secret.String) (User, error) {
	var raw rawUser
	err := c.asUser(ctx, user, password, call{
		op: "authenticate", method: http.MethodGet, path: []string{"cloud", "user"}, once: true, data: &raw,
	})
	if err != nil {
		return User{}, err
	}
	return raw.user(), nil
}

// AppPassword fetches a new app password for the user, who must authenticate
// with the real password; an app password is [ErrForbidden]. It opens the
// account only together with the user name exactly as given here. Every call
// makes another one, also a call whose answer is lost: that is [ErrUncertain].
func (c *Client) AppPassword(ctx context.Context, user string, password secret.String) (secret.String, error) {
	return c.NamedAppPassword(ctx, user, password, "")
}

// NamedAppPassword is [Client.AppPassword] with the name under which the user
// sees it among the devices; "" is the gateway's own.
func (c *Client) NamedAppPassword(ctx context.Context, user string, password secret.String, name string) (secret.String, error) {
	var got struct {
		AppPassword secret.String `json:"apppassword"`
	}
	const op = "get app password"
	err := c.asUser(ctx, user, password, call{
		op: op, method: http.MethodGet, path: []string{"core", "getapppassword"},
		agent: strings.Map(printable, name), writes: true, data: &got,
	})
	if err != nil {
		return "", err
	}
	if got.AppPassword == "" {
		return "", &Error{Op: op, Kind: ErrBadAnswer, Status: http.StatusOK, uncertain: true, cause: errData}
	}
	return got.AppPassword, nil
}

// RevokeAppPassword makes an app password worthless; it authenticates itself.
// One that is worthless already is [ErrUnauthorized], and a strike.
func (c *Client) RevokeAppPassword(ctx context.Context, user string, appPassword secret.String) error {
	return c.asUser(ctx, user, appPassword, call{
		op: "revoke app password", method: http.MethodDelete, path: []string{"core", "apppassword"}, writes: true,
	})
}

// asUser makes a call with credentials that are not the administrator's. An
// empty password is not sent: the server would take the call for an anonymous
// one.
func (c *Client) asUser(ctx context.Context, user string, password secret.String, k call) error {
	if user == "" || password == "" || strings.Contains(user, ":") {
		return &Error{Op: k.op, Kind: ErrUnauthorized, cause: errNoCredentials}
	}
	k.as = credentials{user, password}
	return c.do(ctx, k)
}

// printable keeps what a header field may hold (RFC 9110 section 5.5).
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
