package desired

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// A Tx is the transaction of a change to a user, in which the resulting desired
// state is written. *store.Tx implements it.
type Tx interface {
	// SetNextcloudDesired stores the desired state of an account; see the store.
	SetNextcloudDesired(ctx context.Context, n Account, fallbackID string, now time.Time) error
	// AbandonNextcloud stops managing an account that the gateway owns.
	AbandonNextcloud(ctx context.Context, user account.ID, now time.Time) error
	// DeleteUnownedNextcloud deletes the desired state of an account that the gateway does not own.
	DeleteUnownedNextcloud(ctx context.Context, user account.ID) error
	// UnlinkNextcloud releases an account that the gateway did not create, and reports whether it was one.
	UnlinkNextcloud(ctx context.Context, user account.ID, now time.Time) (bool, error)
	// RevokeAppPasswords revokes all app passwords of the user and returns their number.
	RevokeAppPasswords(ctx context.Context, user account.ID, now time.Time) (int64, error)
	// Audit records an event.
	Audit(ctx context.Context, e audit.Event) error
}

// A Passwords stores passwords for accounts that lack them. *store.DB implements it.
type Passwords interface {
	// SupplyNextcloudPassword stores a sealed password if the account lacks one and hash is still the user's.
	SupplyNextcloudPassword(ctx context.Context, user account.ID, hash secret.String, sealed []byte, now time.Time) error
}

// A Recorder writes the desired state of accounts. Most methods take the
// transaction of the change that causes it, so that either both are stored or
// neither is. It also records without a Nextcloud: once one is configured, all
// users get accounts there. It is safe for concurrent use.
type Recorder struct {
	Policy

	Box    *seal.Box
	Notify func() // called by [Recorder.Wake]; may be nil
}

// NewRecorder returns a recorder with the policy.
func NewRecorder(p Policy, ring *keyring.Ring) *Recorder {
	return &Recorder{Policy: p, Box: NewBox(ring)}
}

// Wake notifies the reconciler of this process that there is work. Call it after
// the commit; it does not block.
func (r *Recorder) Wake() {
	if r.Notify != nil {
		r.Notify()
	}
}

// Registered records the account of the new user a, with the password plain.
func (r *Recorder) Registered(ctx context.Context, tx Tx, a account.Account, plain secret.String, now time.Time) error {
	return r.record(ctx, tx, a, plain, now)
}

// Imported returns the account of the new user a, whose password the gateway does not
// know. The first login supplies it.
func (r *Recorder) Imported(a account.Account) Account {
	n := r.account(a)
	n.WantsPassword = r.SyncsPasswords()
	return n
}

// Changed records a new e-mail address, name or state of a.
func (r *Recorder) Changed(ctx context.Context, tx Tx, a account.Account, now time.Time) error {
	return r.record(ctx, tx, a, "", now)
}

// PasswordChanged records a new password. It does nothing unless passwords are
// passed on to Nextcloud.
func (r *Recorder) PasswordChanged(
	ctx context.Context, tx Tx, a account.Account, plain secret.String, now time.Time,
) error {
	if !r.SyncsPasswords() {
		return nil
	}
	return r.record(ctx, tx, a, plain, now)
}

// RevokeAppPasswords revokes all app passwords that the gateway has issued to a
// user, after a change that ends everything made under the old password or login.
// change is the event of that change; the revocation gets a separate event. The
// gateway does not know the app passwords that a user created in Nextcloud itself.
// The result is the number of revoked ones.
func (r *Recorder) RevokeAppPasswords(ctx context.Context, tx Tx, change audit.Event) (int64, error) {
	n, err := tx.RevokeAppPasswords(ctx, change.User, change.At)
	if err != nil || n == 0 {
		return 0, err
	}
	event := audit.New(audit.AppRevoked, change.User, change.Origin, change.At)
	event.Login, event.Actor, event.Detail = change.Login, change.Actor, audit.AllApps
	return n, tx.Audit(ctx, event)
}

// SupplyPassword records the password of a user who has just logged in, if the
// account lacks it: because it was created before passwords were passed on, or was
// created again, or because the gateway lost its credentials for it. hash is the
// hash of plain.
func (r *Recorder) SupplyPassword(
	ctx context.Context, db Passwords, id account.ID, hash, plain secret.String, now time.Time,
) error {
	if !r.SyncsPasswords() {
		return nil
	}
	return db.SupplyNextcloudPassword(ctx, id, hash, r.Box.Seal(plain, string(id)), now)
}

// Deleted applies the policy to the account of a deleted user. An account that the
// gateway did not create remains, whatever the policy; only what the gateway
// created in it is removed.
func (r *Recorder) Deleted(ctx context.Context, tx Tx, a account.Account, now time.Time) error {
	linked, err := tx.UnlinkNextcloud(ctx, a.ID, now)
	if err == nil && linked {
		_, err = tx.RevokeAppPasswords(ctx, a.ID, now)
	}
	if err != nil || linked {
		return err
	}
	if r.OnDelete == Present || r.OnDelete == "" {
		if err := tx.AbandonNextcloud(ctx, a.ID, now); err != nil {
			return err
		}
		return tx.DeleteUnownedNextcloud(ctx, a.ID)
	}
	// They could not be revoked later, if the account is enabled again.
	if _, err := tx.RevokeAppPasswords(ctx, a.ID, now); err != nil {
		return err
	}
	n := r.account(a)
	n.State = r.OnDelete
	return tx.SetNextcloudDesired(ctx, n, string(a.ID), now)
}

func (r *Recorder) record(ctx context.Context, tx Tx, a account.Account, plain secret.String, now time.Time) error {
	n := r.account(a)
	if plain != "" && r.SyncsPasswords() {
		n.PendingPassword = r.Box.Seal(plain, string(a.ID))
	}
	return tx.SetNextcloudDesired(ctx, n, string(a.ID), now)
}

// account returns the desired state for a, with an initial password in case the
// account does not exist yet.
func (r *Recorder) account(a account.Account) Account {
	n := Account{
		UserID: a.ID, NextcloudID: NextcloudID(a, r.ByEmail), InitialPassword: NewInitialPassword(r.Box, a.ID),
		Spec: Spec{State: Present, Email: a.Email, FullName: a.FullName, Quota: r.Quota},
	}
	if a.Disabled() {
		n.State = Disabled
	}
	return n
}
