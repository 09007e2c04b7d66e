// Package lifecycle changes and deletes accounts, with everything that follows from
// it: the end of logins, the desired state of the account in Nextcloud, and the audit
// events. Functions and operators go through it, so that the same rules hold for both.
//
// It imports the store, revocation, nextcloud/desired and nextcloud/access. Begin with
// [Manager].
package lifecycle

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// A Manager changes and deletes accounts, within the transactions of its callers, who
// call [desired.Recorder.Wake] and [mail.Outbox.Wake] after the commit. It is safe for
// concurrent use.
type Manager struct {
	Desired *desired.Recorder
	Outbox  *mail.Outbox
	Rules   account.Rules // say whether a new address must be confirmed
}

// Changes are changes of an account and its quota.
type Changes struct {
	store.Changes

	Quota *string // as [desired.ParseQuota] returns it; nil leaves it
}

// Change applies c to the account of cause, and returns the result: it ends the logins
// and API keys of a disabled account, updates the desired state of the Nextcloud
// account, and writes mails and audit events. A new address must be confirmed first if
// the rules say so; Change returns [mail.ErrTooMany] if that takes too many mails. cause
// says who does it, from where and when; its name and detail do not matter. The last
// enabled administrator is neither disabled nor demoted: Change returns
// [account.ErrLastAdmin].
func (m *Manager) Change(ctx context.Context, tx *store.Tx, by store.Actor, c Changes, cause audit.Event) (account.Account, error) {
	before, err := tx.Account(ctx, cause.User)
	if err != nil {
		return account.Account{}, err
	}
	c.Confirm = m.Rules.Verifies()
	after, err := tx.ChangeAccount(ctx, by, before, c.Changes, cause.At)
	if err != nil {
		return account.Account{}, err
	}
	if c.Email != nil && after.PendingEmail != "" {
		if err := m.Outbox.ChangeAddress(ctx, tx, after, cause.At); err != nil {
			return account.Account{}, err
		}
	}
	if before.Email != after.Email {
		if err := m.Outbox.AddressChanged(ctx, tx, before, after.Email, cause); err != nil {
			return account.Account{}, err
		}
	}
	if !after.Admin() || after.Disabled() {
		if err := checkLastAdmin(ctx, tx, before); err != nil {
			return account.Account{}, err
		}
	}
	if after.Disabled() && !before.Disabled() {
		// Nextcloud refuses the app passwords of a disabled account by itself.
		revoker := revocation.Revoker{Desired: m.Desired}
		if _, err := revoker.EndAll(ctx, tx, by, named(audit.Disabled, cause), revocation.Keep{AppPasswords: true}); err != nil {
			return account.Account{}, err
		}
	}
	switch {
	case c.Quota != nil:
		err = access.SetQuota(ctx, m.Desired, tx, by, after, *c.Quota, named(audit.QuotaChanged, cause))
	case nextcloudView(before) != nextcloudView(after):
		err = m.Desired.Changed(ctx, tx, after, cause.At)
	}
	if err != nil {
		return account.Account{}, err
	}
	for _, name := range events(before, after) {
		event := named(name, cause)
		if name == audit.RoleChanged {
			event.Detail = string(after.Role)
		}
		if err := tx.Audit(ctx, event); err != nil {
			return account.Account{}, err
		}
	}
	return after, nil
}

// Delete deletes the account of event with everything that belongs to it, marks its
// Nextcloud account as the policy says, and records event. It returns
// [account.ErrLastAdmin] for the last enabled administrator.
func (m *Manager) Delete(ctx context.Context, tx *store.Tx, by store.Actor, event audit.Event) error {
	a, err := tx.Account(ctx, event.User)
	if err != nil {
		return err
	}
	if err := checkLastAdmin(ctx, tx, a); err != nil {
		return err
	}
	if err := m.Desired.Deleted(ctx, tx, a, event.At); err != nil {
		return err
	}
	if err := tx.DeleteAccount(ctx, by, a.ID); err != nil {
		return err
	}
	return tx.Audit(ctx, event)
}

// checkLastAdmin returns [account.ErrLastAdmin] if no enabled administrator
// would remain without leaving.
func checkLastAdmin(ctx context.Context, tx *store.Tx, leaving account.Account) error {
	if !leaving.Admin() || leaving.Disabled() || leaving.Pending {
		return nil
	}
	others, err := tx.CountOtherAdmins(ctx, leaving.ID)
	if err == nil && others == 0 {
		err = account.ErrLastAdmin
	}
	return err
}

// named returns a new event of that name with the circumstances of cause.
func named(name audit.Name, cause audit.Event) audit.Event {
	event := audit.New(name, cause.User, cause.Origin, cause.At)
	event.Login, event.Actor = cause.Login, cause.Actor
	return event
}

// nextcloudFields are the fields of an account that Nextcloud has, too.
type nextcloudFields struct {
	email    account.Email
	name     string
	disabled bool
}

func nextcloudView(a account.Account) nextcloudFields {
	return nextcloudFields{a.Email, a.FullName, a.Disabled()}
}

// events returns the names of the audit events for the difference between two versions
// of an account.
func events(before, after account.Account) []audit.Name {
	var names []audit.Name
	if before.Email != after.Email {
		names = append(names, audit.EmailChanged)
	}
	switch {
	case before.PendingEmail == after.PendingEmail:
	case after.PendingEmail != "":
		names = append(names, audit.EmailChangeRequested)
	case before.Email == after.Email:
		names = append(names, audit.EmailChangeCanceled)
	}
	if before.Role != after.Role {
		names = append(names, audit.RoleChanged)
	}
	switch {
	case after.Disabled() && !before.Disabled():
		names = append(names, audit.Disabled)
	case before.Disabled() && !after.Disabled():
		names = append(names, audit.Enabled)
	}
	return names
}
