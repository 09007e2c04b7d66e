package operator

import (
	"context"
	"errors"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
)

// Invite invites the user of p. If the address has an account that nobody has used yet, it
// invites its user again; role and name of the account stay, and again is true. With show,
// no mail is sent. Otherwise it returns [account.ErrEmailTaken] and the account. See
// [registration.Registrar.Invite].
func (o *Operator) Invite(ctx context.Context, p registration.NewAccount, show bool) (i registration.Invitation, again bool, err error) {
	by := registration.Sender{Origin: Origin, Show: show}
	i, err = o.Registrar.Invite(ctx, p, by)
	if !errors.Is(err, account.ErrEmailTaken) {
		return i, false, err
	}
	a, _, err := o.DB.AccountByEmail(ctx, p.Email.Lookup())
	if err != nil {
		return i, false, err
	}
	if i.Account = a; !a.Unused() {
		return i, false, account.ErrEmailTaken
	}
	i, err = o.Registrar.InviteAgain(ctx, a.ID, by)
	return i, true, err
}
