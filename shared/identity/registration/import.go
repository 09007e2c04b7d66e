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
	return r.importAll(ctx, list, nil, resets, origin)
}

// A Link is to an account in Nextcloud that the gateway did not create.
type Link struct {
	ID   string                         // of the account
	Code string                         // the account's last error until its user claims it
	By   func(tx *store.Tx) store.Actor // who links it
}

// ImportLinked is [Registrar.Import] of one user, who has to claim the account of the link.
// It returns [desired.ErrAlreadyLinked], and creates nothing, if another user has that
// account or waits for it.
func (r *Registrar) ImportLinked(
	ctx context.Context, p Imported, to Link, resets *mail.Outbox, origin audit.Origin,
) (created bool, err error) {
	list, err := r.importAll(ctx, []Imported{p}, &to, resets, origin)
	return err == nil && list[0], err
}

// importAll is [Registrar.Import], and with a link [Registrar.ImportLinked].
func (r *Registrar) importAll(
	ctx context.Context, list []Imported, link *Link, resets *mail.Outbox, origin audit.Origin,
) ([]bool, error) {
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
		if err := link.check(ctx, tx, events); err != nil {
			return err
		}
		if err := tx.CreateNextcloudDesired(ctx, states, r.Now()); err != nil {
			return err
		}
		if err := tx.HoldAllNextcloud(ctx, pending); err != nil {
			return err
		}
		if events, err = link.make(ctx, tx, events); err != nil {
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

// check returns [desired.ErrAlreadyLinked] if the account is taken. The user whose import
// the events record must not have a desired state yet, which can reserve the id. It does
// nothing without a link or a user.
func (l *Link) check(ctx context.Context, tx *store.Tx, imported []audit.Event) error {
	if l == nil || len(imported) == 0 {
		return nil
	}
	taken, err := tx.TakenNextcloudIDs(ctx, []string{l.ID})
	if err == nil && len(taken) > 0 {
		err = desired.ErrAlreadyLinked
	}
	return err
}

// make links the account to the user whose import the events record, and returns them with
// its own event. It does nothing without a link or a user.
func (l *Link) make(ctx context.Context, tx *store.Tx, imported []audit.Event) ([]audit.Event, error) {
	if l == nil || len(imported) == 0 {
		return imported, nil
	}
	event := imported[0]
	link := audit.New(audit.Adopted, event.User, event.Origin, event.At)
	link.Detail = l.ID
	_, err := tx.AdoptNextcloud(ctx, l.By(tx), event.User, l.ID, l.Code, event.At)
	return append(imported, link), err
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
