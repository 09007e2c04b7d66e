// Package operator makes the changes that an operator requests on the command line.
// They need no login, and the audit trail records them with [Origin]. Begin with
// [Operator].
package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
)

// Origin is the origin of changes that an operator makes.
var Origin = audit.Origin{Device: "command line"}

// An Operator changes accounts. Desired and Reconciler are only needed by methods
// that concern Nextcloud, and Registrar by those that create accounts. Without Outbox,
// users are not told of changes. It is safe for concurrent use.
type Operator struct {
	DB         *store.DB
	Registrar  *registration.Registrar
	Desired    *desired.Recorder
	Reconciler *reconcile.Reconciler
	Outbox     *mail.Outbox
	Now        func() time.Time
}

// SetRole gives the account with the address a role, and records that unless the
// account has it already. It also demotes the last administrator, since an operator
// can appoint another one. The result is the account before the change.
func (o *Operator) SetRole(ctx context.Context, address account.EmailLookup, role account.Role) (a account.Account, err error) {
	now := o.Now()
	err = o.DB.Update(ctx, func(tx *store.Tx) error {
		if a, _, err = tx.AccountByEmail(ctx, address); err != nil || a.Role == role {
			return err
		}
		if _, err := tx.ChangeAccount(ctx, tx.Operator(), a, store.Changes{Role: &role}, now); err != nil {
			return err
		}
		event := audit.New(audit.RoleChanged, a.ID, Origin, now)
		event.Detail = string(role)
		return tx.Audit(ctx, event)
	})
	return a, err
}

// SetQuota overrides the quota of the account with the address, with a value that
// [desired.ParseQuota] returned, and records that.
func (o *Operator) SetQuota(ctx context.Context, address account.EmailLookup, override string) error {
	return o.DB.Update(ctx, func(tx *store.Tx) error {
		a, _, err := tx.AccountByEmail(ctx, address)
		if err != nil {
			return err
		}
		event := audit.New(audit.QuotaChanged, a.ID, Origin, o.Now())
		return access.SetQuota(ctx, o.Desired, tx, tx.Operator(), a, override, event)
	})
}

// NextcloudAccount returns the Nextcloud account of the user with the address, with
// its current storage usage. A user from before Nextcloud was configured may have
// none yet; the result is then pending, with the default quota.
func (o *Operator) NextcloudAccount(ctx context.Context, address account.EmailLookup) (desired.Account, error) {
	a, _, err := o.DB.AccountByEmail(ctx, address)
	if err != nil {
		return desired.Account{}, err
	}
	n, err := o.DB.NextcloudAccount(ctx, a.ID)
	if errors.Is(err, account.ErrNotFound) {
		return desired.Account{Spec: desired.Spec{Quota: o.Desired.Quota}, Status: desired.Pending}, nil
	}
	if err != nil {
		return desired.Account{}, err
	}
	return o.Reconciler.Usage(ctx, n)
}

// Adopt links the account in Nextcloud with that id to the user with the address;
// "" is the account that conflicts with the user's. See [reconcile.Reconciler.Adopt].
func (o *Operator) Adopt(
	ctx context.Context, address account.EmailLookup, id string,
) (account.Account, desired.Account, error) {
	a, _, err := o.DB.AccountByEmail(ctx, address)
	if err != nil {
		return account.Account{}, desired.Account{}, err
	}
	event := audit.New(audit.Adopted, a.ID, Origin, o.Now())
	n, err := o.Reconciler.Adopt(ctx, a.ID, id, event, func(fn func(*store.Tx, store.Actor) error) error {
		return o.DB.Update(ctx, func(tx *store.Tx) error { return fn(tx, tx.Operator()) })
	})
	return a, n, err
}

// ErrNotAUser is the error of [FindUser] for text that is neither an id nor an
// e-mail address.
var ErrNotAUser = errors.New("neither an e-mail address nor an id")

// FindUser returns the id of the account that name denotes, by its id or its e-mail
// address. An id need not exist: the audit trail outlives accounts.
func FindUser(ctx context.Context, db *store.DB, name string) (account.ID, error) {
	if id, err := account.ParseID(name); err == nil {
		return id, nil
	}
	address, err := account.ParseEmailLookup(name)
	if err != nil {
		return "", ErrNotAUser
	}
	a, _, err := db.AccountByEmail(ctx, address)
	if errors.Is(err, account.ErrNotFound) {
		return "", fmt.Errorf("no user has the address %s; use the id to find the events of a deleted account", address.Key())
	}
	return a.ID, err
}
