package recovery

import (
	"context"
	"crypto/rand"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

// redeem runs fn in the transaction that spends the token, with an event about its
// user. It returns [linktoken.ErrBad] for a token that does not work. Exactly one of
// several concurrent calls succeeds.
func (s *Service) redeem(
	ctx context.Context, raw secret.String, p linktoken.Purpose, name audit.Name, from audit.Origin,
	fn func(tx *store.Tx, by store.Actor, t linktoken.Token, event *audit.Event) error,
) error {
	now := s.Now()
	id, err := s.Tokens.Decode(raw, p, now)
	if err != nil {
		return err
	}
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		by, t, err := tx.RedeemLinkToken(ctx, id, p, now)
		if err != nil {
			return err
		}
		event := audit.New(name, by.Account.ID, from, now)
		if err := fn(tx, by, t, &event); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err == nil {
		s.Desired.Wake()
		s.Outbox.Wake()
	}
	return err
}

// Verify verifies the address to which the token was mailed. If that is the pending
// address of the user, it replaces the address of the account. It returns
// [linktoken.ErrBad], or [account.ErrEmailTaken] if another account has the address by
// now.
func (s *Service) Verify(ctx context.Context, raw secret.String, from audit.Origin) (a account.Account, err error) {
	if _, err := s.Tokens.Decode(raw, linktoken.Verify, s.Now()); err != nil {
		return a, err
	}
	if _, err := s.DB.CanonicalizeEmails(ctx); err != nil {
		return a, err
	}
	err = s.redeem(ctx, raw, linktoken.Verify, audit.EmailVerified, from,
		func(tx *store.Tx, by store.Actor, t linktoken.Token, event *audit.Event) error {
			a, err = tx.ConfirmEmail(ctx, by, t, event.At)
			if err != nil {
				return err
			}
			if a.Email != by.Account.Email {
				if err := s.emailChanged(ctx, tx, a, *event); err != nil {
					return err
				}
			}
			return tx.ReleaseNextcloud(ctx, a.ID)
		})
	return a, err
}

// emailChanged records what follows from a new address.
func (s *Service) emailChanged(ctx context.Context, tx *store.Tx, a account.Account, cause audit.Event) error {
	if err := s.Desired.Changed(ctx, tx, a, cause.At); err != nil {
		return err
	}
	return tx.Audit(ctx, audit.New(audit.EmailChanged, a.ID, cause.Origin, cause.At))
}

// Reset replaces the password of the account to which the token was mailed. It ends all
// access to the account, and a change of address that was not confirmed, and tells the
// user. Of the networks from which somebody logged in, only that of this request stays
// known. A second factor stays only if the address was verified before: otherwise it may be of somebody who
// registered with the address of another person. Reset returns [linktoken.ErrBad], or a
// fault that names the field password.
func (s *Service) Reset(ctx context.Context, raw, plain secret.String, from audit.Origin) error {
	now := s.Now()
	id, err := s.Tokens.Decode(raw, linktoken.Reset, now)
	if err != nil {
		return err
	}
	_, who, err := s.DB.LinkToken(ctx, id, linktoken.Reset, now)
	if err != nil {
		return err
	}
	var wrong fault.Fields
	fresh := fault.ParseField(&wrong, "password", plain, func(plain secret.String) (password.Password, error) {
		return password.Parse(plain.Reveal(), who.Email)
	})
	if err := wrong.Err(); err != nil {
		return err
	}
	hash, err := s.Passwords.Hash(ctx, fresh)
	if err != nil {
		return password.InField("password", err)
	}
	return s.redeem(ctx, raw, linktoken.Reset, audit.PasswordReset, from,
		func(tx *store.Tx, by store.Actor, _ linktoken.Token, event *audit.Event) error {
			// The next login is from where the link was opened. Others may be of whoever knew
			// the password.
			known, _ := signin.ForgottenNetworks.Add(from.Address, now)
			if err := tx.RecoverPassword(ctx, by, hash, known); err != nil {
				return err
			}
			after, err := tx.ReclaimEmail(ctx, by, event.At)
			if err != nil {
				return err
			}
			if by.Account.EmailVerifiedAt == nil {
				if err := s.removeSecondFactor(ctx, tx, by, *event); err != nil {
					return err
				}
			}
			if err := s.endAll(ctx, tx, by, *event); err != nil {
				return err
			}
			if err := s.Desired.PasswordChanged(ctx, tx, after, fresh.Reveal(), event.At); err != nil {
				return err
			}
			if err := s.Outbox.Notice(ctx, tx, mail.PasswordChanged, after, *event); err != nil {
				return err
			}
			return tx.ReleaseNextcloud(ctx, after.ID)
		})
}

// Undo restores the address from which the token's mail says that it changes, and
// returns the account. Whoever changed it knew the password, so the account has none
// from now on, all access to it ends, and a link to choose a new password is mailed to
// the address. A second factor that was set up since is removed. Undo returns
// [linktoken.ErrBad], or [account.ErrEmailTaken] if another account has the address by
// now.
func (s *Service) Undo(ctx context.Context, raw secret.String, from audit.Origin) (a account.Account, err error) {
	if _, err := s.Tokens.Decode(raw, linktoken.Undo, s.Now()); err != nil {
		return a, err
	}
	if _, err := s.DB.CanonicalizeEmails(ctx); err != nil {
		return a, err
	}
	err = s.redeem(ctx, raw, linktoken.Undo, audit.EmailRestored, from,
		func(tx *store.Tx, by store.Actor, t linktoken.Token, event *audit.Event) error {
			a, err = tx.RestoreEmail(ctx, by, t, event.At)
			if err != nil {
				return err
			}
			if since := by.Account.SecondFactorAt; since == nil || !since.Before(t.CreatedAt) {
				if err := s.removeSecondFactor(ctx, tx, by, *event); err != nil {
					return err
				}
			}
			if err := s.endAll(ctx, tx, by, *event); err != nil {
				return err
			}
			if err := s.Desired.Changed(ctx, tx, a, event.At); err != nil {
				return err
			}
			// Nextcloud has the password that somebody else knows.
			if err := s.Desired.PasswordChanged(ctx, tx, a, secret.String(rand.Text()), event.At); err != nil {
				return err
			}
			_, err := s.Outbox.Reset(ctx, tx, a, "", event.At)
			return err
		})
	return a, err
}

// endAll ends all access to the account.
func (s *Service) endAll(ctx context.Context, tx *store.Tx, by store.Actor, event audit.Event) error {
	revoker := revocation.Revoker{Desired: s.Desired}
	_, err := revoker.EndAll(ctx, tx, by, event, revocation.Keep{})
	return err
}

// removeSecondFactor removes the second factor of the account, also one that is only set
// up.
func (s *Service) removeSecondFactor(ctx context.Context, tx *store.Tx, by store.Actor, cause audit.Event) error {
	enabled, err := tx.RemoveSecondFactor(ctx, by, by.Account.ID)
	if err != nil || !enabled {
		return err
	}
	return tx.Audit(ctx, audit.New(audit.SecondFactorDisabled, by.Account.ID, cause.Origin, cause.At))
}
