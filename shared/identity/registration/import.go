package registration

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// importedDetail is the detail of [audit.Registered] for accounts that were imported.
const importedDetail = "imported"

// An Imported account comes from another system.
type Imported struct {
	Email       account.Email
	Spelled     account.Email // see [account.LegacyEmail]
	FullName    string
	Role        account.Role
	Preferences document.Object
	Hash        secret.String // see [password.ParseHash]; "" for none, so that the user must reset the password
	VerifiedAt  *time.Time    // nil if the address is not verified
	Disabled    bool
	CreatedAt   time.Time // zero for now
}

// Import creates the accounts of list whose addresses are free, with the desired states
// of their Nextcloud accounts and the audit events, in one transaction. It returns for
// each whether it was created. The first login of a user passes the password on to
// Nextcloud; an account without a hash gets none there before its user sets a password.
// resets, if not nil, sends those without a hash a link to set a password;
// call [mail.Outbox.Wake] afterwards. Concurrent calls are safe: each address is
// created once. Keep list short, since other writes wait for it on SQLite.
func (r *Registrar) Import(ctx context.Context, list []Imported, resets *mail.Outbox, origin audit.Origin) ([]bool, error) {
	if _, err := r.DB.CanonicalizeEmails(ctx); err != nil {
		return nil, err
	}
	rows := make([]store.HashedAccount, len(list))
	for i, p := range list {
		rows[i] = r.importedAccount(p)
	}
	created := make([]bool, len(list))
	err := r.DB.Update(ctx, func(tx *store.Tx) error {
		ids, err := tx.CreateAccounts(ctx, rows)
		if err != nil {
			return err
		}
		var states []desired.Account
		var events []audit.Event
		var pending []account.ID
		for i, a := range rows {
			if created[i] = ids[a.ID]; !created[i] {
				continue
			}
			states = append(states, r.Desired.Imported(a.Account))
			event := audit.New(audit.Registered, a.ID, origin, a.UpdatedAt)
			event.Detail = importedDetail
			events = append(events, event)
			if a.Hash != "" {
				continue
			}
			pending = append(pending, a.ID)
			if resets != nil {
				if _, err := resets.Reset(ctx, tx, a.Account, a.Hash, a.UpdatedAt); err != nil {
					return err
				}
			}
		}
		if err := tx.CreateNextcloudDesired(ctx, states, r.Now()); err != nil {
			return err
		}
		if err := tx.HoldAllNextcloud(ctx, pending); err != nil {
			return err
		}
		return tx.AuditAll(ctx, events)
	})
	if err != nil {
		return nil, err
	}
	r.Desired.Wake()
	return created, nil
}

// importedAccount returns a new account for p.
func (r *Registrar) importedAccount(p Imported) store.HashedAccount {
	a := r.newAccount(NewAccount{Email: p.Email, Spelled: p.Spelled, FullName: p.FullName, Role: p.Role})
	now := a.CreatedAt
	a.Preferences, a.EmailVerifiedAt = p.Preferences, p.VerifiedAt
	if p.Disabled {
		a.DisabledAt = &now
	}
	if !p.CreatedAt.IsZero() && p.CreatedAt.Before(now) {
		a.CreatedAt = p.CreatedAt
	}
	return store.HashedAccount{Account: a, Hash: p.Hash}
}
