// Package register is the function behind POST /api/auth/register, with which
// users create an account. Begin with Function.register.
package register

import (
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
