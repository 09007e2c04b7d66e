package operator

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

// DisableSecondFactor removes the second factor and the backup codes of the account
// with the address, tells the user, and
// reports whether it had one. Its logins continue.
func (o *Operator) DisableSecondFactor(ctx context.Context, address account.EmailLookup) (a account.Account, disabled bool, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) error {
		if a, _, err = tx.AccountByEmail(ctx, address); err != nil {
			return err
		}
		disabled, err = tx.RemoveSecondFactor(ctx, tx.Operator(), a.ID)
		if err != nil || !disabled {
			return err
		}
		event := audit.New(audit.SecondFactorDisabled, a.ID, Origin, o.Now())
		if err := o.Outbox.Notice(ctx, tx, mail.SecondFactorDisabled, a, event); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	return a, disabled, err
}
