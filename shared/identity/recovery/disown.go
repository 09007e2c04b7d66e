package recovery

import (
	"context"
	"crypto/rand"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

// Disown is for a user who was told of a change and did not make it: it ends all access
// to the account, and mails a link to choose a new password. The present password is
// void, because somebody else knows it, unless the notice was about a copied token. A
// second factor that is as young as the notice may be somebody else's and is removed,
// and so is a change of address that was not confirmed. Disown returns
// [linktoken.ErrBad] for a token that does not work.
func (s *Service) Disown(ctx context.Context, raw secret.String, from audit.Origin) error {
	return s.redeem(ctx, raw, linktoken.Disown, audit.Disowned, from,
		func(tx *store.Tx, by store.Actor, t linktoken.Token, event *audit.Event) error {
			event.Detail = t.Slot
			hash, err := s.voidPassword(ctx, tx, by, t)
			if err != nil {
				return err
			}
			after, err := tx.ReclaimEmail(ctx, by, event.At)
			if err != nil {
				return err
			}
			if since := by.Account.SecondFactorAt; since == nil || by.Account.EmailVerifiedAt == nil ||
				!since.Before(t.CreatedAt) || !since.Before(event.At.Add(-linktoken.DisownLifetime)) {
				if err := s.removeSecondFactor(ctx, tx, by, *event); err != nil {
					return err
				}
			}
			if err := s.endAll(ctx, tx, by, *event); err != nil {
				return err
			}
			if hash == "" { // Nextcloud has the password that somebody else knows
				if err := s.Desired.PasswordChanged(ctx, tx, after, secret.String(rand.Text()), event.At); err != nil {
					return err
				}
			}
			_, err = s.Outbox.Reset(ctx, tx, after, hash, event.At)
			return err
		})
}

// voidPassword makes the password unusable if the change that the notice of t is about
// required it, and returns the hash that the account has now.
func (s *Service) voidPassword(ctx context.Context, tx *store.Tx, by store.Actor, t linktoken.Token) (secret.String, error) {
	if mail.Kind(t.Slot) != mail.TokenReused {
		return "", tx.ChangePassword(ctx, by, "")
	}
	_, hash, err := tx.AccountAndHash(ctx, by.Account.ID)
	return hash, err
}
