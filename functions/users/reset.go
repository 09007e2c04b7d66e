package users

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/store"
)

// resetPassword mails a user a link with which to choose a new password, see
// [lifecycle.Manager.RequestReset]. It changes nothing: the administrator neither sets
// nor learns a password.
func (f *Function) resetPassword(ctx context.Context, caller endpoint.Admin, q byID) (endpoint.None, error) {
	event := caller.Event(audit.ResetRequested, q.id, f.Now())
	err := f.DB.UpdateAs(ctx, caller.Proof(), event.At, func(tx *store.Tx, _ store.Actor) error {
		_, err := f.manager().RequestReset(ctx, tx, event)
		return err
	})
	if err == nil {
		f.Outbox.Wake()
	}
	return endpoint.None{}, err
}
