package reconcile

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/store"
)

// What stands between a user and an account in Nextcloud that was there before.
var (
	errNothingToClaim = fault.New(fault.Conflict, "nothing_to_claim", "There is no account in Nextcloud that you can claim.")
	errWrongPassword  = fault.New(fault.Conflict, "wrong_nextcloud_password",
		"The password is neither the account's Nextcloud password nor one of its app passwords.")
	errNotAdoptable = fault.New(fault.Conflict, "not_adoptable",
		"The account in Nextcloud cannot be linked: it is an administrator there, or another system manages it.")
	errNoAccount = fault.New(fault.Conflict, "no_nextcloud_account", "Nextcloud has no account with this id.")
	errPaused    = fault.New(fault.Unavailable, "too_many_claims",
		"Too many Nextcloud passwords were tried. Try again after the time in Retry-After.")
)

const (
	saveTime     = 5 * time.Second         // for recording an attempt, even if its request has ended
	strikeMemory = 12 * time.Hour          // how long Nextcloud counts a refused password
	firstDelay   = 200 * time.Millisecond  // that it makes everybody wait after one; each further one doubles it
	longestDelay = 3200 * time.Millisecond // up to which claims go on, if nothing but claims caused it
)

// Claim makes the account in Nextcloud that is in the way of the caller's own
// theirs. The password proves it: the account's own, or an app password of it.
// Nothing of the account changes; the reconciler goes on from there. The event is
// recorded with it, or one that tells of a wrong password.
//
// Each wrong password counts, at Nextcloud, against everybody behind the gateway's
// address. So few are tried, and none while somebody else's count.
func (r *Reconciler) Claim(
	ctx context.Context, by signin.Proof, password secret.String, event audit.Event,
) (desired.Account, error) {
	if r == nil {
		return desired.Account{}, nextcloud.ErrNotConfigured
	}
	n, err := r.db.NextcloudAccount(ctx, by.User())
	way := n.ConflictingID()
	switch {
	case errors.Is(err, account.ErrNotFound), err == nil && way == "" && n.Link != desired.Claimed:
		return desired.Account{}, errNothingToClaim
	case err != nil, way == "": // it was claimed before: the answer may have been lost
		return n, err
	}
	u, err := r.linkable(ctx, way)
	if errors.Is(err, ocs.ErrNoUser) || err == nil && !stillInTheWay(n, u) {
		err = errors.Join(store.ErrChanged.Because(err), r.db.RecheckNextcloudConflict(ctx, n, r.now()))
		r.Wake()
	}
	if err != nil {
		return desired.Account{}, err
	}
	event.Detail = u.ID
	if err := r.tryPassword(ctx, by, u.ID, password, event); err != nil {
		return desired.Account{}, err
	}
	return r.link(ctx, by, way, u.ID, password, event)
}

// stillInTheWay reports whether u is in the way of n for the reason that n says.
func stillInTheWay(n desired.Account, u ocs.User) bool {
	switch n.LastError {
	case EmailTaken:
		return sameEmail(string(n.Email), u.Email)
	case NotAdoptable:
		return n.Link != desired.NoLink
	}
	return strings.EqualFold(u.ID, n.NextcloudID)
}

// linkable returns the account of that id in Nextcloud, if it may become a user's.
// It is [ocs.ErrNoUser] if there is none.
func (r *Reconciler) linkable(ctx context.Context, id string) (ocs.User, error) {
	open, err := r.enter(ctx)
	switch {
	case err != nil:
		return ocs.User{}, err
	case !open:
		return ocs.User{}, nextcloud.ErrUnavailable.Because(ErrNotNow)
	}
	u, err := r.directory.User(ctx, id)
	switch {
	case isRefusal(err), isOutage(err):
		return ocs.User{}, errors.Join(nextcloud.ErrUnavailable.Because(err), r.shut(ctx, err))
	case err != nil && !errors.Is(err, ocs.ErrNoUser):
		return ocs.User{}, nextcloud.ErrUnavailable.Because(err)
	}
	if err == nil && !r.adoptable(u) {
		err = errNotAdoptable
	}
	return u, err
}

// tryPassword tries the password at the account, once, if one may be tried now.
func (r *Reconciler) tryPassword(
	ctx context.Context, by signin.Proof, id string, password secret.String, event audit.Event,
) error {
	try := desired.NewClaimAttempt(by.User(), id, event.At)
	if err := r.mayTry(ctx, try.At); err != nil {
		return err
	}
	var wait time.Duration
	err := r.db.UpdateAs(ctx, by, try.At, func(tx *store.Tx, by store.Actor) (err error) {
		wait, err = tx.BeginClaimAttempt(ctx, by, try)
		return err
	})
	switch {
	case err != nil:
		return err
	case wait > 0:
		return errPaused.After(wait)
	}
	r.reached("claim begun")
	u, err := r.directory.Authenticate(ctx, id, password)
	r.reached("claim tried")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	switch {
	case err == nil && strings.EqualFold(u.ID, id):
		err = r.db.DeleteClaimAttempt(ctx, try.ID)
		if err == nil && !r.adoptable(u) { // it was made an administrator this moment
			err = errNotAdoptable
		}
		return err
	case err == nil, errors.Is(err, ocs.ErrUnauthorized): // an address can open another account
		event.Name = audit.ClaimRefused
		return errors.Join(errWrongPassword.Because(err), r.db.Audit(ctx, event))
	}
	return errors.Join(nextcloud.ErrUnavailable.Because(err), r.db.MarkClaimAttemptLost(ctx, try.ID))
}

// mayTry returns nil unless Nextcloud slows the gateway down because of refused
// passwords that were not tried here: nobody knows how many more it takes then.
func (r *Reconciler) mayTry(ctx context.Context, now time.Time) error {
	throttle, err := r.directory.Throttle(ctx)
	if err != nil {
		return nextcloud.ErrUnavailable.Because(err)
	}
	earlier, err := r.db.ClaimAttempts(ctx, now)
	if err != nil {
		return err
	}
	ours := time.Duration(0)
	for _, t := range earlier {
		if now.Sub(t.At) < strikeMemory {
			ours = min(max(2*ours, firstDelay), longestDelay)
		}
	}
	if throttle.Delay > ours {
		return errPaused.After(desired.AttemptsInTotalWindow)
	}
	return nil
}

// link records what the owner of the account has proved.
func (r *Reconciler) link(
	ctx context.Context, by signin.Proof, way, id string, proof secret.String, event audit.Event,
) (n desired.Account, err error) {
	sealed, err := r.box.Seal(proof, string(by.User()))
	if err != nil {
		return desired.Account{}, err
	}
	now := event.At
	err = r.db.UpdateAs(ctx, by, now, func(tx *store.Tx, by store.Actor) error {
		var err error
		if n, err = tx.ClaimNextcloud(ctx, by, way, id, sealed, now); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if errors.Is(err, store.ErrChanged) { // by the same request at once, perhaps
		is, wrong := r.db.NextcloudAccount(ctx, by.User())
		if wrong == nil && is.Link == desired.Claimed && is.ConflictingID() == "" && is.NextcloudID == id {
			n, err = is, nil
		}
	}
	if err != nil {
		return desired.Account{}, err
	}
	r.reached("claimed")
	r.Wake()
	return n, nil
}

// Adopt links the account of that id in Nextcloud to the user, as an administrator
// says; "" is the one that is in the way of theirs. The user has to claim it before
// anything opens it. update runs what it is given in a transaction, as that
// administrator or as the operator; the event is recorded in it.
func (r *Reconciler) Adopt(
	ctx context.Context, user account.ID, id string, event audit.Event,
	update func(func(*store.Tx, store.Actor) error) error,
) (n desired.Account, err error) {
	if r == nil {
		return desired.Account{}, nextcloud.ErrNotConfigured
	}
	if n, err = r.db.NextcloudAccount(ctx, user); err != nil {
		return desired.Account{}, err
	}
	u, err := r.linkable(ctx, cmp.Or(id, n.ConflictingID(), n.NextcloudID))
	switch {
	case errors.Is(err, ocs.ErrNoUser):
		return desired.Account{}, errNoAccount
	case err != nil:
		return desired.Account{}, err
	}
	now := event.At
	event.Detail = u.ID
	err = update(func(tx *store.Tx, by store.Actor) error {
		var err error
		if n, err = tx.AdoptNextcloud(ctx, by, user, u.ID, ClaimRequired, now); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return desired.Account{}, err
	}
	r.Wake() // another user may have reserved the id, and needs an account of another one
	return n, nil
}
