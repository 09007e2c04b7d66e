package password

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// A Confirmer checks that a caller knows the current password of their account,
// for requests that must not succeed with a stolen access token alone. It is safe
// for concurrent use.
type Confirmer struct {
	Accounts Accounts
	Hasher   *Hasher
	Limits   *ratelimit.Limiter
	Now      func() time.Time
}

// Accounts are what a [Confirmer] needs of the store.
type Accounts interface {
	AccountAndHash(ctx context.Context, id account.ID) (account.Account, secret.String, error)
	Audit(ctx context.Context, e audit.Event) error
}

// Confirm returns by with the proof that plain is the current password, or
// [account.ErrIncorrectPassword]. The attempts for one account are limited, and a
// wrong password is audited with its purpose, such as [audit.ToDelete].
func (c *Confirmer) Confirm(
	ctx context.Context, by signin.Proof, from audit.Origin, plain secret.String, purpose string,
) (signin.Proof, error) {
	if err := c.Limits.Account(ctx, ratelimit.Password, string(by.User())); err != nil && defense.PasswordLimit {
		return signin.Proof{}, err
	}
	_, hash, err := c.Accounts.AccountAndHash(ctx, by.User())
	if err != nil {
		return signin.Proof{}, err
	}
	err = c.Hasher.Verify(ctx, hash, plain)
	switch {
	case errors.Is(err, ErrMismatch):
		refused := audit.New(audit.PasswordRefused, by.User(), from, c.Now())
		refused.Login, refused.Detail = by.Login(), purpose
		if err := c.Accounts.Audit(ctx, refused); err != nil {
			return signin.Proof{}, err
		}
		return signin.Proof{}, account.ErrIncorrectPassword.Because(err)
	case err != nil:
		return signin.Proof{}, err
	}
	defense.Pause(defense.PasswordVerified)
	return by.WithPassword(hash), nil
}
