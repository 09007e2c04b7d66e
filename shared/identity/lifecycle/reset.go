package lifecycle

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

// RequestReset mails the user of event a link with which to choose a new password, and
// records event. The present password remains valid until then. It returns
// [account.ErrDisabled] for a disabled account, whose link would not work, and
// [mail.ErrTooMany] if the mailbox gets no more mails for now.
func (m *Manager) RequestReset(ctx context.Context, tx *store.Tx, event audit.Event) (account.Account, error) {
	a, hash, err := tx.AccountAndHash(ctx, event.User)
	if err != nil {
		return a, err
	}
	if a.Disabled() {
		return a, account.ErrDisabled
	}
	added, err := m.Outbox.Reset(ctx, tx, a, hash, event.At)
	if err != nil {
		return a, err
	}
	if !added {
		return a, mail.ErrTooMany
	}
	return a, tx.Audit(ctx, event)
}
