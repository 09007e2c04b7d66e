// Package users is the function behind /api/users. Users manage their account,
// administrators manage all accounts. Begin with [Function.Routes].
package users

import (
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/validation"
)

// A Function manages accounts.
type Function struct {
	Auth      *endpoint.Authenticator
	DB        *store.DB
	Registrar *registration.Registrar
	Passwords *password.Hasher
	Confirmer *password.Confirmer
	Desired   *desired.Recorder
	Outbox    *mail.Outbox
	Rules     account.Rules
	Logins    signin.Lifetimes
	Now       func() time.Time
}

// Routes returns the routes of the function.
func (f *Function) Routes() endpoint.Routes {
	const ok, created, none = http.StatusOK, http.StatusCreated, http.StatusNoContent
	whoAmI := endpoint.Authenticated(f.Auth.ForSetup(), ok, f.me)
	return endpoint.Routes{
		{Pattern: "GET /api/users/me", Handler: whoAmI, Scope: apikey.ProfileRead},
		{Pattern: "GET /api/auth/me", Handler: whoAmI, Scope: apikey.ProfileRead},
		{Pattern: "PUT /api/users/me", Handler: endpoint.Authenticated(f.Auth, ok, f.changeMe, validation.Check)},
		{Pattern: "PATCH /api/users/me", Handler: endpoint.Authenticated(f.Auth, ok, f.changeMe, validation.Check)},
		f.confirmed("DELETE /api/users/me", endpoint.Authenticated(f.Auth, none, f.deleteMe, validation.Check)),
		f.confirmed("POST /api/users/change-password", endpoint.Authenticated(f.Auth, ok, f.changePassword, validation.Check)),
		f.confirmed("POST /api/users/me/change-password", endpoint.Authenticated(f.Auth, ok, f.changePassword, validation.Check)),
		f.confirmed("PUT /api/users/me/password", endpoint.Authenticated(f.Auth, ok, f.changePassword, validation.Check)),
		{Pattern: "GET /api/auth/session", Handler: endpoint.Authenticated(f.Auth.ForSetup(), ok, f.session)},
		{Pattern: "GET /api/users/me/logins", Handler: endpoint.Authenticated(f.Auth, ok, f.logins)},
		{Pattern: "DELETE /api/users/me/logins/{id}", Handler: endpoint.Authenticated(f.Auth, none, f.endLogin)},

		{Pattern: "GET /api/users", Handler: endpoint.AdminOnly(f.Auth, ok, f.list)},
		{Pattern: "POST /api/users", Handler: endpoint.AdminOnly(f.Auth, created, f.create, validation.Check)},
		{Pattern: "POST /api/users/invite", Handler: endpoint.AdminOnly(f.Auth, created, f.invite, validation.Check)},
		{Pattern: "GET /api/users/{id}", Handler: endpoint.AdminOnly(f.Auth, ok, f.one)},
		{Pattern: "PATCH /api/users/{id}", Handler: endpoint.AdminOnly(f.Auth, ok, f.change, validation.Check)},
		{Pattern: "POST /api/users/{id}/reset-password", Handler: endpoint.AdminOnly(f.Auth, http.StatusAccepted, f.resetPassword)},
		{Pattern: "POST /api/users/{id}/resend-invitation", Handler: endpoint.AdminOnly(f.Auth, http.StatusAccepted, f.inviteAgain)},
		{Pattern: "POST /api/users/{id}/logout", Handler: endpoint.AdminOnly(f.Auth, none, f.logout)},
		{Pattern: "DELETE /api/users/{id}", Handler: endpoint.AdminOnly(f.Auth, none, f.delete)},
	}
}

func (f *Function) revoker() *revocation.Revoker { return &revocation.Revoker{Desired: f.Desired} }

// confirmed returns the route of a request with the caller's password.
func (f *Function) confirmed(pattern string, h http.Handler) endpoint.Route {
	return endpoint.Route{Pattern: pattern, Handler: h, Limit: ratelimit.Password, Busy: f.Confirmer.Busy}
}
