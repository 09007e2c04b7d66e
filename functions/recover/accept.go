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
)

// An acceptance is what an invited user chooses. The user is then logged in.
type acceptance struct {
	Token     secret.String `json:"token" validate:"required"`
	Password  secret.String `json:"password" validate:"required"`
	FullName  string        `json:"full_name" validate:"name"` // "" keeps the name that the invitation gave
	Transport string        `json:"transport" validate:"omitempty,oneof=body cookie"`
}

// Bind keeps pages of other origins from setting the cookie, as at a login.
func (q *acceptance) Bind(r *http.Request) error {
	if q.Transport == token.InCookie {
		return endpoint.CheckOrigin(r)
	}
	return nil
}

// An accepted response contains the account and the tokens of its first login.
type accepted struct {
	Success bool            `json:"success"`
	Message string          `json:"message"`
	User    account.Profile `json:"user"`

	token.Response
}

func (f *Function) accept(ctx context.Context, from audit.Origin, q acceptance) (accepted, error) {
	a, login, err := f.Service.Accept(ctx, recovery.Acceptance{Token: q.Token, Password: q.Password, FullName: q.FullName}, from, &f.Tokens.Logins)
	if err != nil {
		return accepted{}, err
	}
	tokens, err := f.Tokens.Issue(login, a.Role, q.Transport, login.CreatedAt)
	return accepted{true, "The account is ready.", a.Profile(), tokens}, err
}
