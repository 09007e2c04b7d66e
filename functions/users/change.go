package users

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/store"
)

// changes are changes of an account and its quota.
type changes struct {
	store.Changes

	quota *string // as [desired.ParseQuota] returns it
}

// apply changes the account and, in the same transaction, everything that
// follows: it ends the logins and API keys of a disabled account, updates the desired state
// of the Nextcloud account, and writes the audit events.
func (f *Function) apply(
	ctx context.Context, caller endpoint.Caller, by signin.Proof, id account.ID, c changes,
) (account.Profile, error) {
	var after account.Account
	now := f.Now()
	if c.Email != nil {
		if _, err := f.DB.CanonicalizeEmails(ctx); err != nil {
			return account.Profile{}, err
		}
	}
	err := f.DB.UpdateAs(ctx, by, now, func(tx *store.Tx, who store.Actor) error {
		before, err := tx.Account(ctx, id)
		if err != nil {
			return err
		}
		after, err = tx.ChangeAccount(ctx, who, before, c.Changes, now)
		if err != nil {
			return err
		}
		if before.Admin() && !before.Disabled() && (!after.Admin() || after.Disabled()) {
			if err := checkLastAdmin(ctx, tx, before); err != nil {
				return err
			}
		}
		if after.Disabled() && !before.Disabled() {
			// Nextcloud refuses the app passwords of a disabled account by itself.
			disabled := caller.Event(audit.Disabled, id, now)
			if _, err := f.revoker().EndAll(ctx, tx, who, disabled, revocation.Keep{AppPasswords: true}); err != nil {
				return err
			}
		}
		switch {
		case c.quota != nil:
			err = access.SetQuota(ctx, f.Desired, tx, who, after, *c.quota, caller.Event(audit.QuotaChanged, id, now))
		case nextcloudView(before) != nextcloudView(after):
			err = f.Desired.Changed(ctx, tx, after, now)
		}
		if err != nil {
			return err
		}
		for _, name := range events(before, after) {
			event := caller.Event(name, id, now)
			if name == audit.RoleChanged {
				event.Detail = string(after.Role)
			}
			if err := tx.Audit(ctx, event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return account.Profile{}, err
	}
	f.Desired.Wake()
	return after.Profile(), nil
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

// events returns the audit events for the difference between two versions of an
// account.
func events(before, after account.Account) []audit.Name {
	var names []audit.Name
	if before.Email != after.Email {
		names = append(names, audit.EmailChanged)
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
