package reconcile

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
	"github.com/voiceassist/gateway/shared/store"
)

// Errors of an attempt, besides those of the clients.
var (
	errRemoved             = errors.New("the account was removed in Nextcloud")
	errInitialPasswordLost = errors.New("no key opens the sealed initial password")
)

// A conflict is an account in Nextcloud that is not the gateway's and prevents
// the one that it should have.
type conflict struct{ id, code string }

func (c *conflict) Error() string { return "an account that is not ours is in the way: " + c.code }

// An attempt is one try to make an account agree with its desired state. It runs
// once: [attempt.run], then [attempt.finish].
type attempt struct {
	*Reconciler

	lease    string
	account  desired.Account // as leased, updated with each change that is committed
	breaker  store.Breaker   // at the start
	actual   *ocs.User       // the account in Nextcloud; nil for none
	lookedAt time.Time       // when actual was read
	drifts   []Drift         // how actual differed from the desired state
	outcome  desired.Outcome // what finish stores
	password secret.String   // the account's current password in Nextcloud; "" if unknown

	revocations
}

func (r *Reconciler) newAttempt(n desired.Account, lease string, breaker store.Breaker) *attempt {
	a := &attempt{Reconciler: r, lease: lease, account: n, breaker: breaker, outcome: desired.Outcome{
		Owned: n.Owned, Link: n.Link, InitialPassword: n.InitialPassword, PendingPassword: n.PendingPassword,
		HasUserPassword: n.HasUserPassword, PendingIsSet: n.PendingIsSet, WantsPassword: n.WantsPassword,
	}}
	if n.State != desired.Present && n.Link != desired.Released {
		a.outcome.Status, a.outcome.PendingPassword, a.outcome.WantsPassword = desired.Inactive, nil, false
	}
	return a
}

// run looks at the account, compares it with the desired state, and applies the
// difference. All of it can be repeated.
func (a *attempt) run(ctx context.Context) error {
	a.lookedAt = a.now()
	if !a.isNew() {
		if err := a.look(ctx); err != nil {
			return err
		}
	}
	switch {
	case a.account.Link == desired.Released:
		return a.release(ctx)
	case a.account.State == desired.Present:
		return a.keep(ctx)
	}
	return a.retire(ctx)
}

// isNew reports whether the account is to be created for the first time. There is no
// point in looking at it first: the search for its e-mail address usually finds an account
// that has its id, and Nextcloud refuses to create a second one.
func (a *attempt) isNew() bool {
	n := a.account
	return n.State == desired.Present && n.Link == desired.NoLink && !n.Owned && !n.CreateAttempted
}

// look reads the account from Nextcloud.
func (a *attempt) look(ctx context.Context) error {
	a.lookedAt, a.actual = a.now(), nil
	u, err := a.nextcloud.User(ctx, a.account.NextcloudID)
	a.trace("looked")
	switch {
	case errors.Is(err, ocs.ErrNoUser):
		return nil
	case err != nil:
		return err
	}
	a.actual = &u
	return nil
}

// keep creates the account if it does not exist, and applies all drifts.
func (a *attempt) keep(ctx context.Context) error {
	if err := a.obtain(ctx); err != nil {
		return err
	}
	if err := a.apply(ctx, presentSteps()); err != nil {
		return err
	}
	a.outcome.Status = desired.Active
	if a.account.AppPassword == nil {
		a.outcome.Status = desired.Pending // the files cannot be reached until the next login
	}
	a.outcome.UsedAt = &a.lookedAt
	a.outcome.Used, a.outcome.Total = usageOf(*a.actual)
	return nil
}

// retire disables or deletes the account, if it exists and is the gateway's.
func (a *attempt) retire(ctx context.Context) error {
	n := &a.account
	switch {
	case a.actual == nil, n.Link != desired.NoLink && (!n.Owned || n.State == desired.Absent):
		return nil
	case !n.Owned && !n.CreateAttempted:
		return &conflict{a.actual.ID, IDTaken}
	case !n.Owned:
		if err := a.proveOwnership(ctx); err != nil {
			return err
		}
	}
	if n.State == desired.Absent {
		return a.apply(ctx, absentSteps())
	}
	return a.apply(ctx, disabledSteps())
}

// obtain makes sure that the account exists and is the gateway's, or returns the
// conflict.
func (a *attempt) obtain(ctx context.Context) error {
	n := &a.account
	switch {
	case a.actual == nil && n.Owned:
		return a.startOver(errRemoved)
	case a.actual == nil:
		if err := a.useEmailAsID(ctx); err != nil {
			return err
		}
		return a.create(ctx)
	case n.Link == desired.Adopted:
		return &conflict{a.actual.ID, ClaimRequired}
	case !n.Owned && !n.CreateAttempted:
		return &conflict{a.actual.ID, IDTaken} // trying the initial password would count as a failed login
	case !n.Owned:
		return a.proveOwnership(ctx)
	case n.Link != desired.NoLink && !a.linkable(*a.actual):
		return &conflict{a.actual.ID, NotAdoptable}
	}
	return nil
}

// create creates the account with all its properties in one call. If the response
// is lost, the initial password shows who created the account.
func (a *attempt) create(ctx context.Context) error {
	initial, err := a.box.Open(a.account.InitialPassword, string(a.account.UserID))
	if err != nil { // it opens nothing yet, so it can be replaced
		return a.startOver(errInitialPasswordLost)
	}
	if err := a.checkFree(ctx); err != nil {
		return err
	}
	if err := a.db.MarkNextcloudCreateAttempted(ctx, a.account.UserID, a.lease); err != nil {
		return err
	}
	a.trace("create noted")
	u := a.newUser(initial)
	failure := a.createUser(ctx, u)
	if failure == nil {
		a.password, a.actual = initial, asCreated(u)
		return a.recordOwnership(ctx)
	}
	if err := a.look(ctx); err != nil {
		return err
	}
	switch {
	case a.actual == nil:
		return failure
	case a.isNew() && errors.Is(failure, ocs.ErrExists) && a.actual.Backend != ocs.OwnBackend:
		return &conflict{a.actual.ID, IDTaken} // trying the initial password would count as a failed login
	}
	return a.proveOwnership(ctx)
}

// newUser returns the account as it should be created.
func (a *attempt) newUser(initial secret.String) ocs.NewUser {
	n := a.account
	u := ocs.NewUser{
		ID: n.NextcloudID, Password: initial, Email: string(n.Email), DisplayName: displayName(n),
		Quota: cmp.Or(n.EffectiveQuota(), n.Quota),
	}
	if a.policy.Group != "" {
		u.Groups = []string{a.policy.Group}
	}
	return u
}

// asCreated returns the account as it is after Nextcloud has created it. Reading it would
// cost one more password hash; the daily sweep finds what Nextcloud stored differently.
func asCreated(u ocs.NewUser) *ocs.User {
	limit, err := quota.Parse(u.Quota)
	if err != nil {
		limit = quota.Unknown
	}
	return &ocs.User{
		ID: u.ID, Enabled: true, Email: u.Email, DisplayName: u.DisplayName, Quota: limit, Free: -1,
		Groups: u.Groups, Backend: ocs.OwnBackend,
	}
}

// createUser makes the call, and creates the group first if it is missing.
func (a *attempt) createUser(ctx context.Context, u ocs.NewUser) error {
	return a.withGroup(ctx, func() error {
		err := a.nextcloud.CreateUser(ctx, u)
		a.trace("created")
		return err
	})
}

// withGroup makes a call that needs the group of all accounts. If the group does
// not exist, it creates the group and repeats the call.
func (a *attempt) withGroup(ctx context.Context, call func() error) error {
	err := call()
	if !errors.Is(err, ocs.ErrNoGroup) {
		return err
	}
	err = a.nextcloud.AddGroup(ctx, a.policy.Group)
	a.trace("group added")
	if err != nil {
		return err
	}
	return call()
}

// proveOwnership finds out whether the gateway created the account: only then
// does the initial password open it. Otherwise it returns a conflict.
func (a *attempt) proveOwnership(ctx context.Context) error {
	initial, err := a.box.Open(a.account.InitialPassword, string(a.account.UserID))
	if err != nil { // nothing can prove it any more
		return &conflict{a.actual.ID, IDTaken}
	}
	opens, err := a.opens(ctx, initial)
	a.trace("proved")
	switch {
	case err != nil:
		return err
	case !opens:
		return &conflict{a.actual.ID, IDTaken}
	}
	a.password = initial
	return a.recordOwnership(ctx)
}

// opens reports whether the password opens this very account. A login name can
// also be the e-mail address of another account.
func (a *attempt) opens(ctx context.Context, password secret.String) (bool, error) {
	u, err := a.nextcloud.Authenticate(ctx, a.account.NextcloudID, password)
	if errors.Is(err, ocs.ErrUnauthorized) {
		return false, nil
	}
	return err == nil && strings.EqualFold(u.ID, a.account.NextcloudID), err
}

// recordOwnership commits that the account is the gateway's before anything in
// it changes: once the initial password is replaced, it proves nothing any more.
func (a *attempt) recordOwnership(ctx context.Context) error {
	if err := a.db.MarkNextcloudOwned(ctx, a.account.UserID, a.lease, a.now()); err != nil {
		return err
	}
	a.account.Owned, a.outcome.Owned = true, true
	a.account.Link, a.outcome.Link = desired.NoLink, desired.NoLink
	// What is known of an earlier account with this id no longer applies.
	a.account.AppPassword, a.account.HasUserPassword, a.account.PendingIsSet = nil, false, false
	a.outcome.HasUserPassword, a.outcome.PendingIsSet = false, false
	a.account.LastSetQuota = ""
	a.trace("owned")
	return nil
}

// startOver prepares the next attempt to create the account, with an initial
// password that was never used. It returns the reason.
func (a *attempt) startOver(reason error) error {
	a.outcome.Owned, a.outcome.Link = false, desired.NoLink
	a.outcome.InitialPassword = desired.NewInitialPassword(a.box, a.account.UserID)
	return reason
}

// finish stores the outcome of run, which failed unless failure is nil, and ends
// the lease. attempted is false if that was not possible; succeeded reports
// whether the account agrees with its desired state.
func (a *attempt) finish(ctx context.Context, failure error) (attempted, succeeded bool, err error) {
	now := a.now()
	switch {
	case failure != nil:
		if err := a.fail(ctx, failure, now); err != nil {
			return false, false, err
		}
	case a.account.State == desired.Absent || a.account.Link == desired.Released:
		err := a.db.DeleteNextcloud(ctx, a.account, a.lease)
		if !errors.Is(err, store.ErrChanged) {
			a.trace("forgotten")
			return true, true, err
		}
		// The desired state has changed meanwhile, and the account stays due.
		a.outcome.Synced = true
	default:
		a.outcome.Synced = true
	}
	err = a.storeOutcome(ctx, now)
	a.trace("settled")
	if errors.Is(err, store.ErrChanged) {
		return true, false, nil // the lease expired, and its next holder finishes
	}
	return true, failure == nil, err
}

// storeOutcome stores the outcome. A new conflict with somebody else's account is
// an audit event.
func (a *attempt) storeOutcome(ctx context.Context, now time.Time) error {
	n, code := a.account, a.outcome.LastError
	if a.outcome.Status != desired.Conflict || n.Status == desired.Conflict || code != IDTaken && code != EmailTaken {
		return a.db.SettleNextcloud(ctx, n, a.lease, a.outcome, now)
	}
	event := audit.New(audit.IDTaken, n.UserID, audit.Origin{}, now)
	event.Detail = a.outcome.ConflictID
	return a.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.SettleNextcloud(ctx, n, a.lease, a.outcome, now); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
}
