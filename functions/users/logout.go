package users

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/store"
)

// A logout request ends all logins of a user. The body is optional.
type logout struct {
	KeepAppPasswords bool `json:"keep_app_passwords"`
	KeepAPIKeys      bool `json:"keep_api_keys"`

	byID
}

// logout ends all logins of a user and, unless q keeps them, revokes the app
// passwords and API keys. It succeeds if there is nothing to end, and audits only what ends.
func (f *Function) logout(ctx context.Context, caller endpoint.Admin, q logout) (endpoint.None, error) {
	event := caller.Event(audit.LoggedOutAll, q.id, f.Now())
	err := f.DB.UpdateAs(ctx, caller.Proof(), event.At, func(tx *store.Tx, by store.Actor) error {
		if _, err := tx.Account(ctx, q.id); err != nil {
			return err
		}
		ended, err := f.revoker().EndAll(ctx, tx, by, event, revocation.Keep{AppPasswords: q.KeepAppPasswords, APIKeys: q.KeepAPIKeys})
		if err != nil || !ended {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err == nil {
		f.Desired.Wake()
	}
	return endpoint.None{}, err
}
