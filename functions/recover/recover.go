// Package recover is the function with which people get into their accounts by mail:
// they accept an invitation, verify an address, choose a new password, or undo a change
// of address. It serves programs, and the pages to which the links in mails lead. Begin with
// [Function.Routes] and [Function.Pages].
package recover

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/recovery"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/validation"
)

// A Function recovers accounts. Tokens are for the logins of users who accept an
// invitation.
type Function struct {
	Service *recovery.Service
	Tokens  *token.Issuer
}

// Routes returns the routes of the function for programs.
func (f *Function) Routes() endpoint.Routes {
	const ok, accepted, limit = http.StatusOK, http.StatusAccepted, ratelimit.Password
	return endpoint.Routes{
		{Pattern: "POST /api/auth/request-verify-token", Handler: endpoint.JSON(accepted, f.requestVerification, validation.Check), Limit: limit},
		{Pattern: "POST /api/auth/verify", Handler: endpoint.JSON(ok, f.verify, validation.Check), Limit: limit},
		{Pattern: "POST /api/auth/forgot-password", Handler: endpoint.JSON(accepted, f.requestReset, validation.Check), Limit: limit},
		{Pattern: "POST /api/auth/reset-password", Handler: endpoint.JSON(ok, f.reset, validation.Check), Limit: limit, Busy: f.Service.Busy},
		{Pattern: "POST /api/auth/accept-invitation", Handler: endpoint.JSON(ok, f.accept, validation.Check), Limit: limit, Busy: f.Service.Busy},
		{Pattern: "POST /api/auth/undo", Handler: endpoint.JSON(ok, f.undo, validation.Check), Limit: limit},
		{Pattern: "POST /api/auth/not-me", Handler: endpoint.JSON(ok, f.disown, validation.Check), Limit: limit},
	}
}

// An address is of an account, or of none: the response does not reveal it.
type address struct {
	Email string `json:"email" validate:"required"`
}

type message struct {
	Message string `json:"message"`
}

// requested is the response to every request for a mail.
var requested = message{"If an account has this address, a mail is on its way."}

func (f *Function) requestReset(ctx context.Context, from audit.Origin, q address) (message, error) {
	return requested, f.Service.RequestReset(ctx, q.Email, from)
}

func (f *Function) requestVerification(ctx context.Context, from audit.Origin, q address) (message, error) {
	return requested, f.Service.RequestVerification(ctx, q.Email, from)
}

// A link is the token in the link of a mail.
type link struct {
	Token secret.String `json:"token" validate:"required"`
}

// A done response says what a token has done to the account.
type done struct {
	Message string          `json:"message"`
	User    account.Profile `json:"user"`
}

func (f *Function) verify(ctx context.Context, from audit.Origin, q link) (done, error) {
	a, err := f.Service.Verify(ctx, q.Token, from)
	return done{"The e-mail address is verified.", a.Profile()}, err
}

func (f *Function) undo(ctx context.Context, from audit.Origin, q link) (done, error) {
	a, err := f.Service.Undo(ctx, q.Token, from)
	return done{"The account has its previous address again. Choose a new password with the link in the mail to it.", a.Profile()}, err
}

func (f *Function) disown(ctx context.Context, from audit.Origin, q link) (message, error) {
	return message{"All access to the account has ended. Choose a new password with the link in the mail to you."}, f.Service.Disown(ctx, q.Token, from)
}

type reset struct {
	Token    secret.String `json:"token" validate:"required"`
	Password secret.String `json:"password" validate:"required"`
}

func (f *Function) reset(ctx context.Context, from audit.Origin, q reset) (message, error) {
	return message{"The password is changed, and all devices are logged out."}, f.Service.Reset(ctx, q.Token, q.Password, from)
}
