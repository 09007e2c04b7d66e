package operator

import (
	"context"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/store"
)

// logoutBatch is how many accounts one transaction of [Operator.LogOutAll] logs out.
// A transaction holds the locks of its accounts, and is repeated as a whole if one of
// them is used at the same time.
const logoutBatch = 20

// LogOut ends all access of the account with the address except keep, and reports
// whether there was any.
func (o *Operator) LogOut(ctx context.Context, address account.EmailLookup, keep revocation.Keep) (a account.Account, ended bool, err error) {
	err = o.DB.Update(ctx, func(tx *store.Tx) error {
		if a, _, err = tx.AccountByEmail(ctx, address); err != nil {
			return err
		}
		ended, err = o.logOut(ctx, tx, a.ID, keep)
		return err
	})
	if err == nil {
		o.Desired.Wake()
	}
	return a, ended, err
}

// LogOutAll does so for every account, in transactions of a bounded size, and calls
// progress after each with the number of accounts that it has logged out. If it is
// interrupted, call it again. It does not end logins that begin while it runs.
func (o *Operator) LogOutAll(ctx context.Context, keep revocation.Keep, progress func(done int)) (done int, err error) {
	var last account.ID
	for {
		ids, err := o.DB.AccountsWithAccess(ctx, last, logoutBatch, o.Now())
		if err != nil || len(ids) == 0 {
			return done, err
		}
		n := 0
		err = o.DB.Update(ctx, func(tx *store.Tx) error {
			n = 0 // the transaction may run again
			for _, id := range ids {
				ended, err := o.logOut(ctx, tx, id, keep)
				if err != nil {
					return err
				}
				if ended {
					n++
				}
			}
			return nil
		})
		if err != nil {
			return done, err
		}
		o.Desired.Wake()
		done, last = done+n, ids[len(ids)-1]
		progress(done)
	}
}

// logOut ends the access of one account within tx.
func (o *Operator) logOut(ctx context.Context, tx *store.Tx, id account.ID, keep revocation.Keep) (bool, error) {
	event := audit.New(audit.LoggedOutAll, id, Origin, o.Now())
	revoker := revocation.Revoker{Desired: o.Desired}
	ended, err := revoker.EndAll(ctx, tx, tx.Operator(), event, keep)
	if err != nil || !ended {
		return false, err
	}
	return true, tx.Audit(ctx, event)
}
