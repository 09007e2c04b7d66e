package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/store"
)

// What a try can end with, besides the errors of the directory.
var (
	errLost     = errors.New("the account was removed behind our back")
	errNotTaken = errors.New("the new password does not open the account")
	errKeyLost  = errors.New("the sealed first password does not open")
)

// A try is one attempt to make one wish true.
type try struct {
	*Reconciler

	lease   string
	account desired.Account
	gate    store.Breaker // as it was when the try began
	there   string        // the account's id as Nextcloud spells it, once it was seen
	outcome desired.Outcome
	real    secret.String // the account's own password, where this try came to know it
	looked  time.Time     // when Nextcloud was last asked for the account

	revocations
}

// run compares wish and fact and acts. Everything it does may be done again.
func (t *try) run(ctx context.Context) error {
	u, err := t.look(ctx)
	if t.account.Link == desired.Released {
		return t.release(ctx, err)
	}
	if t.account.State == desired.Present {
		switch {
		case errors.Is(err, ocs.ErrNoUser) && t.account.Owned:
			return t.beginAnew(errLost)
		case errors.Is(err, ocs.ErrNoUser):
			if err = t.takeAddress(ctx); err == nil {
				u, err = t.create(ctx)
			}
		case err == nil && t.account.Link == desired.Adopted:
			err = &conflict{u.ID, ClaimRequired}
		case err == nil && !t.account.Owned && !t.account.CreateAttempted:
			err = &conflict{u.ID, IDTaken} // trying the first password would count as a failed login
		case err == nil && !t.account.Owned:
			err = t.prove(ctx)
		}
		if err != nil {
			return err
		}
		return t.adjust(ctx, u)
	}
	return t.retire(ctx, u, err)
}

// look returns the account as Nextcloud has it.
func (t *try) look(ctx context.Context) (ocs.User, error) {
	t.looked = t.now()
	u, err := t.directory.User(ctx, t.account.NextcloudID)
	t.there = u.ID
	t.reached("looked")
	return u, err
}

// create makes the account, everything in the one call. Where it is uncertain
// who made what is there afterwards, the first password decides.
func (t *try) create(ctx context.Context) (ocs.User, error) {
	first, err := t.box.Open(t.account.InitialPassword, string(t.account.UserID))
	if err != nil { // nobody is there whom it would have to open
		return ocs.User{}, t.beginAnew(errKeyLost)
	}
	if err := t.unheld(ctx); err != nil {
		return ocs.User{}, err
	}
	if err := t.db.MarkNextcloudCreateAttempted(ctx, t.account.UserID, t.lease); err != nil {
		return ocs.User{}, err
	}
	t.reached("create noted")
	made := t.make(ctx, first)
	if made == nil {
		t.real = first
		if err := t.own(ctx); err != nil {
			return ocs.User{}, err
		}
		return t.look(ctx)
	}
	u, err := t.look(ctx)
	switch {
	case errors.Is(err, ocs.ErrNoUser):
		return u, made
	case err != nil:
		return u, err
	}
	return u, t.prove(ctx)
}

// make is the call that makes the account, and the group first where it lacks.
func (t *try) make(ctx context.Context, first secret.String) error {
	n := t.account
	u := ocs.NewUser{
		ID: n.NextcloudID, Password: first, Email: string(n.Email), DisplayName: displayName(n), Quota: cmp.Or(n.EffectiveQuota(), n.Quota),
	}
	if t.group != "" {
		u.Groups = []string{t.group}
	}
	made := t.directory.CreateUser(ctx, u)
	t.reached("created")
	if !errors.Is(made, ocs.ErrNoGroup) {
		return made
	}
	if err := t.addGroup(ctx); err != nil {
		return err
	}
	made = t.directory.CreateUser(ctx, u)
	t.reached("created")
	return made
}

func (t *try) addGroup(ctx context.Context) error {
	err := t.directory.AddGroup(ctx, t.group)
	t.reached("group added")
	return err
}

// join puts the account into the group that all are in.
func (t *try) join(ctx context.Context, u ocs.User) error {
	if !groupDiffers(t.group, u) {
		return nil
	}
	err := t.directory.AddToGroup(ctx, t.account.NextcloudID, t.group)
	t.reached("joined")
	if !errors.Is(err, ocs.ErrNoGroup) {
		return err
	}
	if err = t.addGroup(ctx); err == nil {
		err = t.directory.AddToGroup(ctx, t.account.NextcloudID, t.group)
		t.reached("joined")
	}
	return err
}

// prove finds out whether the account is ours: only then does the first
// password open it. What is not ours is never touched.
func (t *try) prove(ctx context.Context) error {
	first, err := t.box.Open(t.account.InitialPassword, string(t.account.UserID))
	if err != nil { // it cannot be proved any more
		return &conflict{t.there, IDTaken}
	}
	ours, err := t.opens(ctx, first)
	t.reached("proved")
	switch {
	case err != nil:
		return err
	case !ours:
		return &conflict{t.there, IDTaken}
	}
	t.real = first
	return t.own(ctx)
}

// opens reports whether the password opens the account itself: a login name
// can be the address of another account, too.
func (t *try) opens(ctx context.Context, password secret.String) (bool, error) {
	u, err := t.directory.Authenticate(ctx, t.account.NextcloudID, password)
	if errors.Is(err, ocs.ErrUnauthorized) {
		return false, nil
	}
	return err == nil && strings.EqualFold(u.ID, t.account.NextcloudID), err
}

// own commits that the account is ours, before anything is done to it: once the
// first password is replaced, it proves nothing any more.
func (t *try) own(ctx context.Context) error {
	if err := t.db.MarkNextcloudOwned(ctx, t.account.UserID, t.lease, t.now()); err != nil {
		return err
	}
	t.account.Owned, t.outcome.Owned = true, true
	t.account.Link, t.outcome.Link = desired.NoLink, desired.NoLink
	// Of an account that is gone:
	t.account.AppPassword, t.account.HasUserPassword, t.account.PendingIsSet = nil, false, false
	t.outcome.HasUserPassword, t.outcome.PendingIsSet = false, false
	t.account.LastSetQuota = ""
	t.reached("owned")
	return nil
}

// beginAnew prepares for making an account that is not there, with a first
// password that was never used, and returns why.
func (t *try) beginAnew(why error) error {
	first, err := desired.NewInitialPassword(t.box, t.account.UserID)
	if err != nil {
		return err
	}
	t.outcome.Owned, t.outcome.InitialPassword, t.outcome.Link = false, first, desired.NoLink
	return why
}

// adjust changes what differs from the wish. Each change is counted by
// Nextcloud, so what agrees is left alone.
func (t *try) adjust(ctx context.Context, u ocs.User) error {
	n := t.account
	if n.Link != desired.NoLink && !t.adoptable(u) {
		return &conflict{u.ID, NotAdoptable}
	}
	if !u.Enabled {
		err := t.directory.Enable(ctx, n.NextcloudID)
		t.reached("enabled")
		if err != nil {
			return err
		}
	}
	if err := t.revoke(ctx); err != nil {
		return err
	}
	if emailDiffers(n, u) {
		if err := t.changeEmail(ctx); err != nil {
			return err
		}
	}
	if nameDiffers(n, u) {
		if err := t.set(ctx, ocs.KeyDisplayName, displayName(n)); err != nil {
			return err
		}
	}
	if err := t.adjustQuota(ctx, &u); err != nil {
		return err
	}
	if err := t.join(ctx, u); err != nil {
		return err
	}
	if err := t.setPassword(ctx); err != nil {
		return err
	}
	if err := t.reachFiles(ctx); err != nil {
		return err
	}
	t.outcome.PendingPassword = nil // nothing needs it any more
	if err := t.forgetProof(u); err != nil {
		return err
	}
	// Whoever signs in next brings the password that the account lacks.
	lacks := !t.outcome.HasUserPassword || t.outcome.LastError == NoAppPassword
	t.outcome.WantsPassword = lacks && t.outcome.LastError != PasswordRefused && !t.foreign()
	if err := t.revokeLeft(ctx); err != nil {
		return err
	}
	t.outcome.Status = desired.Active
	if t.account.AppPassword == nil {
		t.outcome.Status = desired.Pending // until that login: the files do not answer
	}
	t.outcome.UsedAt = &t.looked
	t.outcome.Used, t.outcome.Total = numbersOf(u)
	return nil
}

// set edits a property. A value that Nextcloud does not take is given up and
// told: the account works without it, and the rest is still to be done. An edit
// is stricter than the call that makes an account, which takes any address.
func (t *try) set(ctx context.Context, key, value string) error {
	err := t.edit(ctx, key, value)
	if errors.Is(err, ocs.ErrInvalid) {
		t.outcome.LastError = Refused
		return nil
	}
	return err
}

// errPaced is what an edit gets without being made while none would be taken.
var errPaced = fmt.Errorf("edits are paused: %w", ocs.ErrRateLimited)

func (t *try) edit(ctx context.Context, key, value string) error {
	if t.gate.EditsPausedUntil != nil {
		return errPaced
	}
	err := t.directory.Edit(ctx, t.account.NextcloudID, key, value)
	t.reached("edited " + key)
	return err
}

// setPassword sets the password that waits, and signs in with it once: app
// passwords die some minutes after a change unless somebody does. A password
// that Nextcloud's policy refuses, or that no key opens any more, is given up:
// the account works without it.
func (t *try) setPassword(ctx context.Context) error {
	if t.account.PendingPassword == nil {
		return nil
	}
	plain, err := t.box.Open(t.account.PendingPassword, string(t.account.UserID))
	if err != nil {
		t.outcome.PendingPassword, t.outcome.LastError = nil, PasswordLost
		return nil
	}
	if t.account.PendingIsSet { // by a try that stopped before the files answered
		t.signedIn, err = t.signsInAs(ctx, plain)
		if err != nil {
			return err
		}
	}
	if !t.signedIn {
		err = t.changePassword(ctx, plain)
		if errors.Is(err, ocs.ErrWeakPassword) {
			t.outcome.PendingPassword, t.outcome.LastError = nil, PasswordRefused
			return nil
		}
		if err != nil {
			return err
		}
	}
	t.outcome.PendingIsSet, t.outcome.HasUserPassword, t.real = true, true, plain
	if t.signedIn || t.account.AppPassword == nil { // fetching one signs in
		return nil
	}
	return t.signIn(ctx, plain)
}

// changePassword sets the account's password: as the account itself while only
// the first one opens it, since that is not counted among the edits of the
// administrator, of which there are few.
func (t *try) changePassword(ctx context.Context, plain secret.String) error {
	first, err := t.box.Open(t.account.InitialPassword, string(t.account.UserID))
	if t.account.HasUserPassword || err != nil {
		return t.edit(ctx, ocs.KeyPassword, plain.Reveal())
	}
	err = t.directory.EditOwn(ctx, t.account.NextcloudID, first, ocs.KeyPassword, plain.Reveal())
	t.reached("edited own " + ocs.KeyPassword)
	if errors.Is(err, ocs.ErrUnauthorized) { // it may have been changed before, when we could not note it
		if t.signedIn, err = t.signsInAs(ctx, plain); err != nil || t.signedIn {
			return err
		}
		return t.edit(ctx, ocs.KeyPassword, plain.Reveal())
	}
	if errors.Is(err, ocs.ErrForbidden) || errors.Is(err, ocs.ErrInvalid) || errors.Is(err, ocs.ErrRateLimited) {
		return t.edit(ctx, ocs.KeyPassword, plain.Reveal()) // this server does not let its users
	}
	return err
}

// signIn signs in with the password that was just set.
func (t *try) signIn(ctx context.Context, plain secret.String) (err error) {
	t.signedIn, err = t.signsInAs(ctx, plain)
	if err == nil && !t.signedIn {
		t.outcome.PendingPassword, err = nil, errNotTaken // each further try would be a refused login
	}
	return err
}

func (t *try) signsInAs(ctx context.Context, plain secret.String) (bool, error) {
	opens, err := t.opens(ctx, plain)
	t.reached("signed in")
	return opens, err
}

// retire disables or deletes the account, if there is one and it is ours.
func (t *try) retire(ctx context.Context, u ocs.User, err error) error {
	t.outcome.Status, t.outcome.PendingPassword, t.outcome.WantsPassword = desired.Inactive, nil, false
	switch {
	case errors.Is(err, ocs.ErrNoUser):
		return nil
	case err != nil:
		return err
	case t.account.Link != desired.NoLink && (!t.account.Owned || t.account.State == desired.Absent):
		return nil // it is not ours to touch
	}
	if !t.account.Owned {
		if !t.account.CreateAttempted {
			return &conflict{u.ID, IDTaken}
		}
		if err := t.prove(ctx); err != nil {
			return err
		}
	}
	if t.account.State == desired.Absent {
		err = t.directory.DeleteUser(ctx, t.account.NextcloudID)
		t.reached("deleted")
		if errors.Is(err, ocs.ErrNoUser) {
			err = nil
		}
	} else if u.Enabled {
		// Disabled, it refuses its app passwords until it is enabled: what is left waits.
		revoking := t.revoke(ctx)
		if ctx.Err() != nil {
			return revoking
		}
		err = t.directory.Disable(ctx, t.account.NextcloudID)
		t.reached("disabled")
	}
	return err
}
