package reconcile

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// A Wisher records what accounts in Nextcloud shall be. Its methods take the
// transaction of the change that the wish follows from, so that both hold or
// neither. Wishes are recorded without a Nextcloud, too: one that is configured
// later gets everybody. It is safe for concurrent use.
type Wisher struct {
	Settings

	Box    *seal.Box
	Notify func() // called by [Wisher.Wake]; may be nil
}

// Wake tells the reconciler of this process that there is work. Call it after
// the commit; it does not block.
func (w *Wisher) Wake() {
	if w.Notify != nil {
		w.Notify()
	}
}

// Register wishes an account for a, which was just made with that password.
func (w *Wisher) Register(
	ctx context.Context, tx *store.Tx, a account.Account, plain secret.String, now time.Time,
) error {
	return w.wish(ctx, tx, a, plain, now)
}

// Changed wishes what follows from a new address, name or state of a.
func (w *Wisher) Changed(ctx context.Context, tx *store.Tx, a account.Account, now time.Time) error {
	return w.wish(ctx, tx, a, "", now)
}

// PasswordChanged wishes that the password opens Nextcloud.
func (w *Wisher) PasswordChanged(
	ctx context.Context, tx *store.Tx, a account.Account, plain secret.String, now time.Time,
) error {
	if !w.syncs() {
		return nil
	}
	return w.wish(ctx, tx, a, plain, now)
}

// RevokeApps wishes that the app passwords which were given out so far open
// nothing any more: after a change that is to end what was made under the old
// password or login. The event is that of the change; one for the app passwords
// is recorded with it. Those that a user made in Nextcloud itself are not known
// here.
func (w *Wisher) RevokeApps(ctx context.Context, tx *store.Tx, change audit.Event) error {
	n, err := tx.RevokeAppPasswords(ctx, change.User, change.At)
	if err != nil || n == 0 {
		return err
	}
	event := audit.New(audit.AppRevoked, change.User, change.Origin, change.At)
	event.Login, event.Actor, event.Detail = change.Login, change.Actor, audit.AllApps
	return tx.Audit(ctx, event)
}

// HandOver gives the account the password of a user who just signed in, where
// it lacks it: it was made before passwords were passed on, was made again, or
// the gateway lost its own key to it. Hash is that of the password.
func (w *Wisher) HandOver(
	ctx context.Context, db *store.DB, id account.ID, hash, plain secret.String, now time.Time,
) error {
	if !w.syncs() {
		return nil
	}
	sealed, err := w.Box.Seal(plain, string(id))
	if err != nil {
		return err
	}
	return db.HandOverNextcloud(ctx, id, hash, sealed, now)
}

// Deleted wishes what the policy says for the account of a deleted user. One that
// the gateway did not make stays as it is, whatever the policy; what the gateway
// made in it goes.
func (w *Wisher) Deleted(ctx context.Context, tx *store.Tx, a account.Account, now time.Time) error {
	foreign, err := tx.UnlinkNextcloud(ctx, a.ID, now)
	if err == nil && foreign {
		_, err = tx.RevokeAppPasswords(ctx, a.ID, now)
	}
	if err != nil || foreign {
		return err
	}
	if w.OnDelete == desired.Present || w.OnDelete == "" {
		if err := tx.LeaveNextcloud(ctx, a.ID, now); err != nil {
			return err
		}
		return tx.DropNextcloud(ctx, a.ID)
	}
	// Nobody could revoke them later, should somebody enable the account again.
	if _, err := tx.RevokeAppPasswords(ctx, a.ID, now); err != nil {
		return err
	}
	n, err := w.account(a)
	if err != nil {
		return err
	}
	n.State = w.OnDelete
	return tx.WishNextcloud(ctx, n, string(a.ID), now)
}

func (w *Wisher) syncs() bool { return w.URL != nil && w.PasswordSync }

func (w *Wisher) wish(
	ctx context.Context, tx *store.Tx, a account.Account, plain secret.String, now time.Time,
) error {
	n, err := w.account(a)
	if err != nil {
		return err
	}
	if plain != "" && w.syncs() {
		if n.Password, err = w.Box.Seal(plain, string(a.ID)); err != nil {
			return err
		}
	}
	return tx.WishNextcloud(ctx, n, string(a.ID), now)
}

// account returns the wish for a, with a first password in case it is the first
// wish.
func (w *Wisher) account(a account.Account) (desired.Account, error) {
	first, err := firstPassword(w.Box, a.ID)
	if err != nil {
		return desired.Account{}, err
	}
	n := desired.Account{
		UserID: a.ID, NextcloudID: desired.ID(a, w.ByEmail), First: first,
		Wish: desired.Wish{State: desired.Present, Email: a.Email, FullName: a.FullName, Quota: w.Quota},
	}
	if a.Disabled() {
		n.State = desired.Disabled
	}
	return n, nil
}

// firstPassword returns a sealed random password. What is around the random
// part is for policies that ask for every class of characters.
func firstPassword(box *seal.Box, id account.ID) ([]byte, error) {
	return box.Seal(secret.String("va-"+rand.Text()+"-7!"), string(id))
}
