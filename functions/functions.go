// Package functions lists the routes of all functions, for the binary and for
// tests of the whole gateway. On Lambda, each function has a separate bootstrap
// program, which does not link this package.
package functions

import (
	"slices"
	"time"

	"github.com/voiceassist/gateway/functions/audit"
	"github.com/voiceassist/gateway/functions/files"
	"github.com/voiceassist/gateway/functions/health"
	"github.com/voiceassist/gateway/functions/jwks"
	"github.com/voiceassist/gateway/functions/keys"
	"github.com/voiceassist/gateway/functions/login"
	"github.com/voiceassist/gateway/functions/logout"
	"github.com/voiceassist/gateway/functions/mfa"
	"github.com/voiceassist/gateway/functions/ncprovision"
	"github.com/voiceassist/gateway/functions/page"
	recovering "github.com/voiceassist/gateway/functions/recover"
	"github.com/voiceassist/gateway/functions/refresh"
	"github.com/voiceassist/gateway/functions/register"
	"github.com/voiceassist/gateway/functions/sessions"
	"github.com/voiceassist/gateway/functions/users"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	secondfactor "github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/recovery"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

// Parts are the dependencies of the functions. The zero value cannot serve
// requests, but its Routes can be listed.
type Parts struct {
	DB         *store.DB
	Tokens     *token.Issuer
	Passwords  *password.Hasher
	Codes      *codes.Checker
	Challenges *secondfactor.ChallengeCodec
	Admins     endpoint.AdminPolicy
	Outbox     *mail.Outbox
	Links      *linktoken.Codec
	Desired    *desired.Recorder
	Reconciler *reconcile.Reconciler
	Storage    *access.Storage
	Nextcloud  nextcloud.Server
	Limits     *ratelimit.Limiter

	Health *health.Function

	Rules              account.Rules
	SilentRegistration bool // see [registration.Settings]
	SessionsPerUser    int  // see [sessions.Settings]
	Page               page.Settings

	AnswerStep time.Duration // see [recovery.Service]

	Now func() time.Time
}

// Registrar returns the registrar of the gateway.
func (p *Parts) Registrar() *registration.Registrar {
	return &registration.Registrar{
		DB: p.DB, Passwords: p.Passwords, Desired: p.Desired, Outbox: p.Outbox, Rules: p.Rules, Now: p.Now, Silent: p.SilentRegistration,
	}
}

// Recovery returns what recovers accounts.
func (p *Parts) Recovery() *recovery.Service {
	return &recovery.Service{
		DB: p.DB, Tokens: p.Links, Passwords: p.Passwords, Desired: p.Desired, Outbox: p.Outbox, Rules: p.Rules, Limits: p.Limits, Now: p.Now,
		Step: p.AnswerStep,
	}
}

// Pages returns the routes of the pages for people, which the API description does not
// contain.
func (p *Parts) Pages() endpoint.Routes {
	return slices.Concat((&page.Function{Settings: p.Page, Now: p.Now}).Pages(), p.recoverer().Pages())
}

func (p *Parts) recoverer() *recovering.Function {
	return &recovering.Function{Service: p.Recovery(), Tokens: p.Tokens}
}

// Routes returns the routes of all functions, except their pages.
func (p *Parts) Routes() endpoint.Routes {
	callers := &endpoint.Authenticator{Logins: p.DB, Now: p.Now, Admins: p.Admins}
	confirmer := &password.Confirmer{Accounts: p.DB, Codes: p.Codes, Hasher: p.Passwords, Limits: p.Limits, Now: p.Now}
	published := &jwks.Function{}
	var logins signin.Lifetimes
	if p.Tokens != nil {
		callers.Keys, published.Keys, logins = p.Tokens.Access, p.Tokens.Access, p.Tokens.Logins
	}
	return slices.Concat(
		(&register.Function{Registrar: p.Registrar()}).Routes(),
		(&login.Function{
			DB: p.DB, Passwords: p.Passwords, Tokens: p.Tokens, Challenges: p.Challenges, Desired: p.Desired, Outbox: p.Outbox,
			Rules: p.Rules, Limits: p.Limits, Now: p.Now,
		}).Routes(),
		(&mfa.Function{
			Auth: callers, DB: p.DB, Codes: p.Codes, Challenges: p.Challenges, Confirmer: confirmer, Tokens: p.Tokens, Outbox: p.Outbox, Now: p.Now,
		}).Routes(),
		(&refresh.Function{DB: p.DB, Tokens: p.Tokens, Outbox: p.Outbox, Limits: p.Limits, Now: p.Now}).Routes(),
		(&logout.Function{DB: p.DB, Tokens: p.Tokens, Desired: p.Desired, Now: p.Now}).Routes(),
		p.recoverer().Routes(),
		(&users.Function{
			Auth: callers, DB: p.DB, Registrar: p.Registrar(), Passwords: p.Passwords, Confirmer: confirmer, Desired: p.Desired,
			Outbox: p.Outbox, Rules: p.Rules, Logins: logins, Now: p.Now,
		}).Routes(),
		(&keys.Function{Auth: callers, DB: p.DB, Confirmer: confirmer, Outbox: p.Outbox, Now: p.Now}).Routes(),
		(&sessions.Function{Auth: callers, DB: p.DB, PerUser: p.SessionsPerUser, Now: p.Now}).Routes(),
		(&ncprovision.Function{
			Auth: callers, DB: p.DB, Reconciler: p.Reconciler, Apps: p.Storage.AppPasswords(),
			Confirmer: confirmer, Public: p.Nextcloud.PublicURL, Desired: p.Desired, Now: p.Now,
		}).Routes(),
		(&audit.Function{Auth: callers, DB: p.DB}).Routes(),
		(&files.Function{Auth: callers, Storage: p.Storage}).Routes(),
		published.Routes(),
		p.Health.Routes(),
	)
}
