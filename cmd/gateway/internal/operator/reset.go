package operator

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/store"
)

// RequestReset mails the user with the address a link with which to choose a new
// password, see [lifecycle.Manager.RequestReset].
func (o *Operator) RequestReset(ctx context.Context, address account.EmailLookup) (a account.Account, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) error {
		if a, _, err = tx.AccountByEmail(ctx, address); err != nil {
			return err
		}
		a, err = o.manager().RequestReset(ctx, tx, audit.New(audit.ResetRequested, a.ID, Origin, o.Now()))
		return err
	})
	return a, err
}

// CreateReset returns the token of a link like that of [Operator.RequestReset], without
// a mail, and the time until which it works. The same rules hold for both.
func (o *Operator) CreateReset(ctx context.Context, address account.EmailLookup) (a account.Account, id linktoken.ID, expires time.Time, err error) {
	now := o.Now()
	expires = now.Add(linktoken.ResetLifetime).Truncate(time.Second)
	err = o.DB.Update(ctx, func(tx *store.Tx) error {
		found, hash, err := tx.AccountByEmail(ctx, address)
		if err != nil {
			return err
		}
		a = found
		id, err = tx.PutLinkToken(ctx, linktoken.New(a.ID, linktoken.Reset, "", linktoken.StateOf(hash, a.Email), now))
		if err != nil {
			return err
		}
		if id == "" {
			return account.ErrDisabled
		}
		if _, err := tx.ExtendLinkToken(ctx, id, expires); err != nil {
			return err
		}
		event := audit.New(audit.ResetRequested, a.ID, Origin, now)
		event.Detail = registration.LinkShown
		return tx.Audit(ctx, event)
	})
	return a, id, expires, err
}
