package users

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/lifecycle"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// apply changes the account and, in the same transaction, everything that follows, see
// [lifecycle.Manager.Change].
func (f *Function) apply(
	ctx context.Context, caller endpoint.Caller, by signin.Proof, id account.ID, c lifecycle.Changes,
) (account.Profile, error) {
	var after account.Account
	now := f.Now()
	if c.Email != nil {
		if _, err := f.DB.CanonicalizeEmails(ctx); err != nil {
			return account.Profile{}, err
		}
	}
	cause := caller.Event("", id, now)
	err := f.DB.UpdateAs(ctx, by, now, func(tx *store.Tx, who store.Actor) (err error) {
		after, err = f.manager().Change(ctx, tx, who, c, cause)
		return err
	})
	if err != nil {
		return account.Profile{}, err
	}
	f.Desired.Wake()
	f.Outbox.Wake()
	return after.Profile(), nil
}

// remove deletes the account of the event with everything that belongs to it, see
// [lifecycle.Manager.Delete].
func (f *Function) remove(ctx context.Context, by signin.Proof, event audit.Event) error {
	err := f.DB.UpdateAs(ctx, by, event.At, func(tx *store.Tx, who store.Actor) error {
		return f.manager().Delete(ctx, tx, who, event)
	})
	if err == nil {
		f.Desired.Wake()
	}
	return err
}

func (f *Function) manager() *lifecycle.Manager {
	return &lifecycle.Manager{Desired: f.Desired, Outbox: f.Outbox, Rules: f.Rules}
}
