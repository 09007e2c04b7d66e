package recovery

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// An Acceptance is what an invited user chooses.
type Acceptance struct {
	Token    secret.String
	Password secret.String
	FullName string // "" keeps the name that the invitation gave
}

// Accept sets the first password of the account to which the invitation was mailed, and
// returns the account, which is no longer pending. The address is verified, and the
// account in Nextcloud is created from now on. If logins is not nil, a login with these
// lifetimes begins in the same transaction. Accept returns
// [account.ErrRegistrationClosed] if the rules say so, [linktoken.ErrBad], or a fault that
// names the invalid fields.
func (s *Service) Accept(ctx context.Context, q Acceptance, from audit.Origin, logins *signin.Lifetimes) (a account.Account, l signin.Login, err error) {
	if err := s.Rules.CheckInvitation(); err != nil {
		return a, l, err
	}
	now := s.Now()
	id, err := s.Tokens.Decode(q.Token, linktoken.Invite, now)
	if err != nil {
		return a, l, err
	}
	_, who, err := s.DB.LinkToken(ctx, id, linktoken.Invite, now)
	if err != nil {
		return a, l, err
	}
	var wrong fault.Fields
	fresh := fault.ParseField(&wrong, "password", q.Password, func(plain secret.String) (password.Password, error) {
		return password.Parse(plain.Reveal(), who.Email)
	})
	name := fault.ParseField(&wrong, "full_name", q.FullName, account.ParseName)
	if err := wrong.Err(); err != nil {
		return a, l, err
	}
	hash, err := s.Passwords.Hash(ctx, fresh)
	if err != nil {
		return a, l, password.InField("password", err)
	}
	err = s.redeem(ctx, q.Token, linktoken.Invite, audit.InvitationAccepted, from,
		func(tx *store.Tx, by store.Actor, _ linktoken.Token, event *audit.Event) error {
			if a, err = s.activate(ctx, tx, by, hash, name, fresh.Reveal(), event); err != nil || logins == nil {
				return err
			}
			l = signin.Start(a.ID, from.Device, from.Address, event.At, *logins)
			started := audit.New(audit.LoggedIn, a.ID, from, event.At)
			started.Login = l.ID
			return tx.StartLogin(ctx, l, hash, started, s.Outbox)
		})
	return a, l, err
}

// activate gives a pending account its password and its name, unless that is "". Nothing
// gives access to the account before, so nothing has to end.
func (s *Service) activate(
	ctx context.Context, tx *store.Tx, by store.Actor, hash secret.String, name string, plain secret.String, event *audit.Event,
) (account.Account, error) {
	if !by.Account.Unused() && defense.LinkTokenState {
		return by.Account, linktoken.ErrBad
	}
	known, _ := signin.ForgottenNetworks.Add(event.Origin.Address, event.At) // that of the first login
	if err := tx.RecoverPassword(ctx, by, hash, known); err != nil {
		return by.Account, err
	}
	a, err := tx.ReclaimEmail(ctx, by, event.At)
	if err != nil {
		return a, err
	}
	if name != "" && name != a.FullName {
		if a, err = tx.ChangeAccount(ctx, by, a, store.Changes{FullName: &name}, event.At); err != nil {
			return a, err
		}
	}
	a.Pending = false
	if err := s.Desired.Registered(ctx, tx, a, plain, event.At); err != nil {
		return a, err
	}
	return a, tx.ReleaseNextcloud(ctx, a.ID)
}
