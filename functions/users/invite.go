package users

import (
	"cmp"
	"context"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
)

// An invitation creates an account whose user chooses the password.
type invitation struct {
	Email    string `json:"email" validate:"required,email"`
	FullName string `json:"full_name" validate:"name"`
	Role     string `json:"role" validate:"omitempty,role"`
}

// invite creates an account without a password and mails its user a link, see
// [registration.Registrar.Invite].
func (f *Function) invite(ctx context.Context, caller endpoint.Admin, q invitation) (created, error) {
	p, err := registration.ParseInvited(q.Email, q.FullName, cmp.Or(q.Role, string(account.User)))
	if err != nil {
		return created{}, err
	}
	i, err := f.Registrar.Invite(ctx, p, registration.Sender{By: caller.Proof(), Origin: caller.Origin})
	return created{i.Account.Profile()}, err
}

// inviteAgain mails the user another link, which replaces earlier ones.
func (f *Function) inviteAgain(ctx context.Context, caller endpoint.Admin, q byID) (endpoint.None, error) {
	_, err := f.Registrar.InviteAgain(ctx, q.id, registration.Sender{By: caller.Proof(), Origin: caller.Origin})
	return endpoint.None{}, err
}
