package operator

import (
	"context"
	"errors"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/lifecycle"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// listPage is how many accounts one statement of [Operator.List] reads.
const listPage = 200

// A ListFilter selects accounts. The zero value selects all.
type ListFilter struct {
	store.AccountFilter

	Search string // of a name or an address, as in the API
}

// List returns up to limit accounts that f selects, and whether there are more: in the
// order of the API, which is newest first unless f searches.
func (o *Operator) List(ctx context.Context, f ListFilter, limit int) (list []account.Account, more bool, err error) {
	next := o.pages(f)
	for {
		found, err := next(ctx)
		if err != nil {
			return nil, false, err
		}
		for _, a := range found {
			if !f.Selects(a) {
				continue
			}
			if len(list) == limit {
				return list, true, nil
			}
			list = append(list, a)
		}
		if len(found) < listPage {
			return list, false, nil
		}
	}
}

// pages returns a function that returns the pages of a list, one with each call. A page
// with fewer than listPage accounts is the last one.
func (o *Operator) pages(f ListFilter) func(context.Context) ([]account.Account, error) {
	page := store.Page{Limit: listPage}
	prefix := account.SearchPrefix(f.Search)
	if prefix == "" {
		return func(ctx context.Context) ([]account.Account, error) {
			list, err := o.DB.AccountsWhere(ctx, f.AccountFilter, page)
			if len(list) > 0 {
				page.Before = string(list[len(list)-1].ID)
			}
			return list, err
		}
	}
	return func(ctx context.Context) ([]account.Account, error) {
		found, err := o.DB.SearchAccounts(ctx, prefix, page)
		list := make([]account.Account, len(found))
		for i, a := range found {
			list[i] = a.Account
			page.Key, page.Before = a.Key, string(a.ID)
		}
		return list, err
	}
}

// Details are what an operator sees of an account.
type Details struct {
	account.Account

	Logins    int              // that are live, at most [MaxLogins]
	APIKeys   int              // that have not expired
	Nextcloud *desired.Account // nil if none was ever wanted
}

// MaxLogins is the greatest number of logins that [Operator.Show] counts.
const MaxLogins = 1000

// Show returns the account with the address.
func (o *Operator) Show(ctx context.Context, address account.EmailLookup) (Details, error) {
	a, _, err := o.DB.AccountByEmail(ctx, address)
	if err != nil {
		return Details{}, err
	}
	d, now := Details{Account: a}, o.Now()
	logins, err := o.DB.Logins(ctx, a.ID, store.Page{Limit: MaxLogins}, now)
	if err != nil {
		return Details{}, err
	}
	keys, err := o.DB.APIKeys(ctx, a.ID)
	if err != nil {
		return Details{}, err
	}
	d.Logins = len(logins)
	for _, k := range keys {
		if k.ExpiresAt == nil || k.ExpiresAt.After(now) {
			d.APIKeys++
		}
	}
	n, err := o.DB.NextcloudAccount(ctx, a.ID)
	switch {
	case err == nil:
		d.Nextcloud = &n
	case !errors.Is(err, account.ErrNotFound):
		return Details{}, err
	}
	return d, nil
}

// SetDisabled disables or enables the account with the address, with everything that
// follows from it, and reports whether it was different before. The last enabled
// administrator stays enabled: SetDisabled returns [account.ErrLastAdmin].
func (o *Operator) SetDisabled(ctx context.Context, address account.EmailLookup, disabled bool) (a account.Account, changed bool, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) error {
		changed = false // the transaction may run again
		if a, _, err = tx.AccountByEmail(ctx, address); err != nil || a.Disabled() == disabled {
			return err
		}
		changed = true
		c := lifecycle.Changes{Changes: store.Changes{Disabled: &disabled}}
		a, err = o.manager().Change(ctx, tx, tx.Operator(), c, audit.New("", a.ID, Origin, o.Now()))
		return err
	})
	if err == nil {
		o.Desired.Wake()
	}
	return a, changed, err
}

// Delete deletes the account with the address and everything that belongs to it, and
// returns it as it was. The account in Nextcloud follows NEXTCLOUD_ON_DELETE. For the
// last enabled administrator it returns [account.ErrLastAdmin].
func (o *Operator) Delete(ctx context.Context, address account.EmailLookup) (a account.Account, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) error {
		if a, _, err = tx.AccountByEmail(ctx, address); err != nil {
			return err
		}
		return o.manager().Delete(ctx, tx, tx.Operator(), audit.New(audit.Deleted, a.ID, Origin, o.Now()))
	})
	if err == nil {
		o.Desired.Wake()
	}
	return a, err
}

func (o *Operator) manager() *lifecycle.Manager { return &lifecycle.Manager{Desired: o.Desired} }
