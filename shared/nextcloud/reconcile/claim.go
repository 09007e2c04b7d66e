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

// Errors of claims and adoptions.
var (
	errNothingToClaim = fault.New(fault.Conflict, "nothing_to_claim", "There is no account in Nextcloud that you can claim.")
	errWrongPassword  = fault.New(fault.Conflict, "wrong_nextcloud_password",
		"The password is neither the account's Nextcloud password nor one of its app passwords.")
	errNotLinkable = fault.New(fault.Conflict, "not_adoptable",
		"The account in Nextcloud cannot be linked: it is an administrator there, or another system manages it.")
	errNoAccount     = fault.New(fault.Conflict, "no_nextcloud_account", "Nextcloud has no account with this id.")
	errTooManyClaims = fault.New(fault.Unavailable, "too_many_claims",
		"Too many Nextcloud passwords were tried. Try again after the time in Retry-After.")
)

const (
	recordTime          = 5 * time.Second         // for recording an attempt whose request has ended
	failedLoginLifetime = 12 * time.Hour          // how long Nextcloud counts a rejected password
	firstDelay          = 200 * time.Millisecond  // of all logins after one of them; each further one doubles it
	longestDelay        = 3200 * time.Millisecond // up to which claims go on, if only claims have caused it
)

// Claim links the account in Nextcloud that conflicts with the caller's own to the
// caller, who proves with a password of that account that it is theirs: its login
// password or one of its app passwords. Nothing in the account changes; the
// reconciler continues from there. The event is recorded, or an event about a
// wrong password.
//
// Nextcloud counts each wrong password against everybody behind the gateway's
// address. So only a few are tried, and none while other failures count.
func (r *Reconciler) Claim(
	ctx context.Context, by signin.Proof, password secret.String, event audit.Event,
) (desired.Account, error) {
	if r == nil {
		return desired.Account{}, nextcloud.ErrNotConfigured
	}
	n, err := r.db.NextcloudAccount(ctx, by.User())
	conflicting := n.ConflictingID()
	switch {
	case errors.Is(err, account.ErrNotFound), err == nil && conflicting == "" && n.Link != desired.Claimed:
		return desired.Account{}, errNothingToClaim
	case err != nil, conflicting == "": // already claimed: the earlier response may be lost
		return n, err
	}
	u, err := r.findLinkable(ctx, conflicting)
	if errors.Is(err, ocs.ErrNoUser) || err == nil && !stillConflicts(n, u) {
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
	return r.link(ctx, by, conflicting, u.ID, password, event)
}

// stillConflicts reports whether u conflicts with n for the reason in n.
func stillConflicts(n desired.Account, u ocs.User) bool {
	switch n.LastError {
	case EmailTaken:
		return sameEmail(string(n.Email), u.Email)
	case NotAdoptable:
		return n.Link != desired.NoLink
	}
	return strings.EqualFold(u.ID, n.NextcloudID)
}

// findLinkable returns the account with that id in Nextcloud if it may be linked to
// a user, or [ocs.ErrNoUser] if there is none.
func (r *Reconciler) findLinkable(ctx context.Context, id string) (ocs.User, error) {
	admitted, err := r.admit(ctx)
	switch {
	case err != nil:
		return ocs.User{}, err
	case !admitted:
		return ocs.User{}, nextcloud.ErrUnavailable.Because(ErrBlocked)
	}
	u, err := r.nextcloud.User(ctx, id)
	switch {
	case isRefusal(err), isOutage(err):
		return ocs.User{}, errors.Join(nextcloud.ErrUnavailable.Because(err), r.trip(ctx, err))
	case err != nil && !errors.Is(err, ocs.ErrNoUser):
		return ocs.User{}, nextcloud.ErrUnavailable.Because(err)
	}
	if err == nil && !r.linkable(u) {
		err = errNotLinkable
	}
	return u, err
}

// tryPassword tries the password on the account once, within the limits.
func (r *Reconciler) tryPassword(
	ctx context.Context, by signin.Proof, id string, password secret.String, event audit.Event,
) error {
	attempt := desired.NewClaimAttempt(by.User(), id, event.At)
	if err := r.checkThrottle(ctx, attempt.At); err != nil {
		return err
	}
	var wait time.Duration
	err := r.db.UpdateAs(ctx, by, attempt.At, func(tx *store.Tx, by store.Actor) (err error) {
		wait, err = tx.BeginClaimAttempt(ctx, by, attempt)
		return err
	})
	switch {
	case err != nil:
		return err
	case wait > 0:
		return errTooManyClaims.After(wait)
	}
	r.trace("claim begun")
	u, err := r.nextcloud.Authenticate(ctx, id, password)
	r.trace("claim tried")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	switch {
	case err == nil && strings.EqualFold(u.ID, id):
		err = r.db.DeleteClaimAttempt(ctx, attempt.ID)
		if err == nil && !r.linkable(u) { // it has just become an administrator
			err = errNotLinkable
		}
		return err
	case err == nil, errors.Is(err, ocs.ErrUnauthorized): // an e-mail address can open another account
		event.Name = audit.ClaimRefused
		return errors.Join(errWrongPassword.Because(err), r.db.Audit(ctx, event))
	}
	return errors.Join(nextcloud.ErrUnavailable.Because(err), r.db.MarkClaimAttemptLost(ctx, attempt.ID))
}

// checkThrottle returns an error if Nextcloud delays the gateway because of
// rejected passwords that are no claims: it is not known how many more it accepts.
func (r *Reconciler) checkThrottle(ctx context.Context, now time.Time) error {
	throttle, err := r.nextcloud.Throttle(ctx)
	if err != nil {
		return nextcloud.ErrUnavailable.Because(err)
	}
	earlier, err := r.db.ClaimAttempts(ctx, now)
	if err != nil {
		return err
	}
	byClaims := time.Duration(0)
	for _, c := range earlier {
		if now.Sub(c.At) < failedLoginLifetime {
			byClaims = min(max(2*byClaims, firstDelay), longestDelay)
		}
	}
	if throttle.Delay > byClaims {
		return errTooManyClaims.After(desired.AttemptsInTotalWindow)
	}
	return nil
}

// link records that the caller has proved the account with that id to be theirs.
func (r *Reconciler) link(
	ctx context.Context, by signin.Proof, conflicting, id string, proof secret.String, event audit.Event,
) (n desired.Account, err error) {
	sealed := r.box.Seal(proof, string(by.User()))
	now := event.At
	err = r.db.UpdateAs(ctx, by, now, func(tx *store.Tx, by store.Actor) error {
		var err error
		if n, err = tx.ClaimNextcloud(ctx, by, conflicting, id, sealed, now); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if errors.Is(err, store.ErrChanged) { // perhaps by the same request, sent twice
		current, failure := r.db.NextcloudAccount(ctx, by.User())
		if failure == nil && current.Link == desired.Claimed && current.ConflictingID() == "" && current.NextcloudID == id {
			n, err = current, nil
		}
	}
	if err != nil {
		return desired.Account{}, err
	}
	r.trace("claimed")
	r.Wake()
	return n, nil
}

// Adopt links the account with that id in Nextcloud to the user, on behalf of an
// administrator; "" is the account that conflicts with the user's. The user has to
// claim it before anything opens it. update runs its argument in a transaction, as
// that administrator or as the operator; the event is recorded in it.
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
	u, err := r.findLinkable(ctx, cmp.Or(id, n.ConflictingID(), n.NextcloudID))
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
	r.Wake() // another user may have reserved the id and needs a new one
	return n, nil
}
