package ocs

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

var errNoCredentials = errors.New("no user, no password, or a colon in the user")

// Authenticate checks a password and returns the account that it belongs to. The caller
// must compare the ID: Nextcloud also accepts an e-mail address, which can be that of
// another account. A disabled account is [ErrUnauthorized], as is a wrong password.
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

// AppPassword creates an app password for the user, who authenticates with the real
// password; with an app password, it is [ErrForbidden]. The new password is valid only
// with the user name exactly as given here. Every call creates one, even if its response
// is lost: that is [ErrUncertain].
func (c *Client) AppPassword(ctx context.Context, user string, password secret.String) (secret.String, error) {
	return c.NamedAppPassword(ctx, user, password, "")
}

// NamedAppPassword is [Client.AppPassword] with a name, which the user sees in the list
// of devices; "" for the gateway's name.
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

// RevokeAppPassword revokes an app password, which also authenticates the call. One that
// is not valid is [ErrUnauthorized], and counts as a failed login.
func (c *Client) RevokeAppPassword(ctx context.Context, user string, appPassword secret.String) error {
	return c.asUser(ctx, user, appPassword, call{
		op: "revoke app password", method: http.MethodDelete, path: []string{"core", "apppassword"}, writes: true,
	})
}

// asUser makes a call with the credentials of a user. It does not send an empty
// password, which the server would treat as an anonymous call.
func (c *Client) asUser(ctx context.Context, user string, password secret.String, k call) error {
	if user == "" || password == "" || strings.Contains(user, ":") {
		return &Error{Op: k.op, Kind: ErrUnauthorized, cause: errNoCredentials}
	}
	k.as = credentials{user, password}
	return c.do(ctx, k)
}

// printable replaces what a header field may not contain (RFC 9110 section 5.5).
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
