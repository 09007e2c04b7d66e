// Package register is the function behind POST /api/auth/register, with which
// users create an account, and GET /api/auth/registration, which says whether they
// may. Begin with Function.register.
package register

import (
	"cmp"
	"context"
	"net/http"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/validation"
)

// A Function registers users.
type Function struct {
	Registrar *registration.Registrar
}

// Routes returns the routes of the function.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "POST /api/auth/register", Handler: endpoint.JSON(http.StatusOK, f.register, validation.Check), Limit: ratelimit.Register, Busy: f.Registrar.Busy},
		{Pattern: "GET /api/auth/registration", Handler: endpoint.JSON(http.StatusOK, f.rule)},
	}
}

type request struct {
	Email    string        `json:"email" validate:"required,email"`
	FullName string        `json:"full_name" validate:"name"`
	Password secret.String `json:"password" validate:"required,password=Email"`
}

type response struct {
	Message string          `json:"message"`
	User    account.Profile `json:"user"`
}

func (f *Function) register(ctx context.Context, from audit.Origin, q request) (response, error) {
	p, err := registration.Parse(q.Email, q.FullName, string(account.User), q.Password)
	if err != nil {
		return response{}, err
	}
	a, err := f.Registrar.Register(ctx, p, from)
	if err != nil {
		return response{}, err
	}
	return response{Message: "User created successfully", User: a.Profile()}, nil
}

// A rule is what clients need to know before they show a form. Registering reveals it, too.
type rule struct {
	Registration account.Registration `json:"registration"`
}

// Header lets clients and proxies keep the rule for a minute; it changes only when the
// gateway is started again.
func (rule) Header(h http.Header) { h.Set("Cache-Control", "public, max-age=60") }

// rule says who may register. It needs no database, because every visitor of the page asks.
func (f *Function) rule(context.Context, audit.Origin, endpoint.None) (rule, error) {
	return rule{Registration: cmp.Or(f.Registrar.Rules.Registration, account.OpenRegistration)}, nil
}
