package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// A step is one part of applying the desired state.
type step struct {
	name  string    // for errors
	drift DriftKind // only applied if [Diff] found it; "" always
	apply func(*attempt, context.Context) error
}

// presentSteps are the steps for an account that should exist. Nextcloud counts
// edits, so what does not differ is not written. App passwords are revoked before
// the password changes, see revoke.go.
func presentSteps() []step {
	return []step{
		{"enable", DriftDisabled, (*attempt).enable},
		{"revoke app passwords", "", (*attempt).revokeAppPasswords},
		{"set the e-mail address", DriftEmail, (*attempt).setEmail},
		{"set the display name", DriftName, (*attempt).setDisplayName},
		{"set the quota", "", (*attempt).setQuota},
		{"join the group", DriftGroup, (*attempt).joinGroup},
		{"set the password", "", (*attempt).setPassword},
		{"reach the files", "", (*attempt).reachFiles},
		{"drop credentials", "", (*attempt).dropCredentials},
		{"revoke remaining app passwords", "", (*attempt).revokeRemaining},
	}
}

// disabledSteps are the steps for an account that should be disabled.
func disabledSteps() []step {
	return []step{{"disable", DriftEnabled, (*attempt).disable}}
}

// absentSteps are the steps for an account that should not exist.
func absentSteps() []step {
	return []step{{"delete", "", (*attempt).delete}}
}

// apply compares the account with the desired state and runs the steps in order.
func (a *attempt) apply(ctx context.Context, steps []step) error {
	a.drifts = Diff(a.account, a.policy, a.actual)
	for _, s := range steps {
		if s.drift != "" && a.drift(s.drift) == nil {
			continue
		}
		if err := s.apply(a, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// drift returns the drift of that kind, or nil.
func (a *attempt) drift(kind DriftKind) *Drift {
	i := slices.IndexFunc(a.drifts, func(d Drift) bool { return d.Kind == kind })
	if i < 0 {
		return nil
	}
	return &a.drifts[i]
}

func (a *attempt) enable(ctx context.Context) error {
	err := a.nextcloud.Enable(ctx, a.account.NextcloudID)
	a.trace("enabled")
	return err
}

func (a *attempt) disable(ctx context.Context) error {
	// A disabled account rejects its app passwords. Those that cannot be revoked
	// now are revoked when the account is enabled again.
	if err := a.revokeAppPasswords(ctx); ctx.Err() != nil {
		return err
	}
	err := a.nextcloud.Disable(ctx, a.account.NextcloudID)
	a.trace("disabled")
	return err
}

func (a *attempt) delete(ctx context.Context) error {
	err := a.nextcloud.DeleteUser(ctx, a.account.NextcloudID)
	a.trace("deleted")
	if errors.Is(err, ocs.ErrNoUser) {
		return nil
	}
	return err
}

// setEmail sets the e-mail address, unless another account has it: then the
// account keeps its old address.
func (a *attempt) setEmail(ctx context.Context) error {
	err := a.checkEmailFree(ctx)
	_, taken := errors.AsType[*conflict](err)
	switch {
	case taken, errors.Is(err, errEmailInUse):
		a.outcome.LastError = EmailTaken
		return nil
	case errors.Is(err, errEmailAmbiguous):
		a.outcome.LastError = EmailAmbiguous
		return nil
	case err != nil:
		return err
	}
	_, err = a.edit(ctx, ocs.KeyEmail, string(a.account.Email))
	return err
}

func (a *attempt) setDisplayName(ctx context.Context) error {
	_, err := a.edit(ctx, ocs.KeyDisplayName, displayName(a.account))
	return err
}

// setQuota sets the quota, unless the drift is tolerated.
func (a *attempt) setQuota(ctx context.Context) error {
	wanted := a.account.EffectiveQuota()
	if d := a.drift(DriftQuota); d != nil {
		if d.Kept {
			return nil
		}
		if accepted, err := a.edit(ctx, ocs.KeyQuota, wanted); err != nil || !accepted {
			return err
		}
		a.actual.Quota, _ = quota.Parse(wanted) // Diff has parsed it
	}
	a.outcome.LastSetQuota = wanted
	return nil
}

// joinGroup adds the account to the group of all accounts.
func (a *attempt) joinGroup(ctx context.Context) error {
	return a.withGroup(ctx, func() error {
		err := a.nextcloud.AddToGroup(ctx, a.account.NextcloudID, a.policy.Group)
		a.trace("joined")
		return err
	})
}

// edit sets a property. It gives up a value that Nextcloud rejects, and reports
// that: the account works without it, and the other steps still apply. An edit
// validates values more strictly than the call that creates an account.
func (a *attempt) edit(ctx context.Context, key, value string) (accepted bool, err error) {
	err = a.tryEdit(ctx, key, value)
	if errors.Is(err, ocs.ErrInvalid) {
		a.outcome.LastError = Refused
		return false, nil
	}
	return err == nil, err
}

// errEditsPaused is the error of edits that are not made because Nextcloud would
// reject them.
var errEditsPaused = fmt.Errorf("edits are paused: %w", ocs.ErrRateLimited)

func (a *attempt) tryEdit(ctx context.Context, key, value string) error {
	if a.breaker.EditsPausedUntil != nil {
		return errEditsPaused
	}
	err := a.nextcloud.Edit(ctx, a.account.NextcloudID, key, value)
	a.trace("edited " + key)
	return err
}

// errPasswordNotAccepted is the error of a password that was set and does not open
// the account.
var errPasswordNotAccepted = errors.New("the new password does not open the account")

// setPassword sets the pending password and logs in with it once: app passwords
// stop working a few minutes after a change, unless somebody logs in. It gives up
// a password that Nextcloud's policy rejects or that no key opens.
func (a *attempt) setPassword(ctx context.Context) error {
	if a.account.PendingPassword == nil {
		return nil
	}
	plain, err := a.box.Open(a.account.PendingPassword, string(a.account.UserID))
	if err != nil {
		a.outcome.PendingPassword, a.outcome.LastError = nil, PasswordLost
		return nil //nolint:nilerr // the outcome records it
	}
	if a.account.PendingIsSet { // by an attempt that could not reach the files
		if a.loggedIn, err = a.logIn(ctx, plain); err != nil {
			return err
		}
	}
	if !a.loggedIn {
		err = a.changePassword(ctx, plain)
		if errors.Is(err, ocs.ErrWeakPassword) {
			a.outcome.PendingPassword, a.outcome.LastError = nil, PasswordRefused
			return nil
		}
		if err != nil {
			return err
		}
	}
	a.outcome.PendingIsSet, a.outcome.HasUserPassword, a.password = true, true, plain
	if a.loggedIn || a.account.AppPassword == nil { // fetching an app password is a login
		return nil
	}
	a.loggedIn, err = a.logIn(ctx, plain)
	if err == nil && !a.loggedIn {
		a.outcome.PendingPassword, err = nil, errPasswordNotAccepted // another attempt would be a failed login
	}
	return err
}

// changePassword changes the account's password. If the initial password still
// opens the account, the account itself makes the change: Nextcloud does not count
// it among the edits of the administrator, which are limited.
func (a *attempt) changePassword(ctx context.Context, plain secret.String) error {
	initial, err := a.box.Open(a.account.InitialPassword, string(a.account.UserID))
	if a.account.HasUserPassword || err != nil {
		return a.tryEdit(ctx, ocs.KeyPassword, plain.Reveal())
	}
	err = a.nextcloud.EditOwn(ctx, a.account.NextcloudID, initial, ocs.KeyPassword, plain.Reveal())
	a.trace("edited own " + ocs.KeyPassword)
	if errors.Is(err, ocs.ErrUnauthorized) { // an earlier attempt may have changed it without recording that
		if a.loggedIn, err = a.logIn(ctx, plain); err != nil || a.loggedIn {
			return err
		}
		return a.tryEdit(ctx, ocs.KeyPassword, plain.Reveal())
	}
	if errors.Is(err, ocs.ErrForbidden) || errors.Is(err, ocs.ErrInvalid) || errors.Is(err, ocs.ErrRateLimited) {
		return a.tryEdit(ctx, ocs.KeyPassword, plain.Reveal()) // this server does not allow it to users
	}
	return err
}

// logIn reports whether the password opens the account.
func (a *attempt) logIn(ctx context.Context, password secret.String) (bool, error) {
	opens, err := a.opens(ctx, password)
	a.trace("signed in")
	return opens, err
}

var (
	errAppPasswordRejected = errors.New("the app password is refused")
	errFilesUnreachable    = errors.New("the files cannot be reached")
)

// reachFiles makes sure that the gateway reaches the account's files; the first
// time, Nextcloud creates the folder. It replaces an app password that Nextcloud
// rejects.
func (a *attempt) reachFiles(ctx context.Context) error {
	if a.account.AppPassword != nil {
		app, err := a.box.Open(a.account.AppPassword, string(a.account.UserID))
		if err == nil {
			err = a.touchFiles(ctx, app)
		}
		if !errors.Is(err, errAppPasswordRejected) && !errors.Is(err, seal.ErrOpen) {
			return err
		}
		if err := a.saveAppPassword(ctx, nil); err != nil {
			return err
		}
	}
	return a.fetchAppPassword(ctx)
}

func (a *attempt) touchFiles(ctx context.Context, app secret.String) error {
	err := a.nextcloud.Touch(ctx, a.account.NextcloudID, app)
	a.trace("touched")
	switch {
	case err == nil, errors.Is(err, ocs.ErrMaintenance):
		return err
	case errors.Is(err, ocs.ErrUnauthorized):
		return errAppPasswordRejected
	}
	// Nextcloud has answered the calls before it, so the failure concerns this
	// account alone, and neither the administrator nor the server.
	return fmt.Errorf("%w: %v", errFilesUnreachable, err)
}

// fetchAppPassword gets the app password with which the gateway reaches the files.
// It takes the account's own password: the initial one, or one that was just set.
// The gateway does not know the user's own password at any other time.
func (a *attempt) fetchAppPassword(ctx context.Context) error {
	if a.password == "" && !a.outcome.HasUserPassword {
		a.password, _ = a.box.Open(a.account.InitialPassword, string(a.account.UserID)) // or it stays unknown
	}
	if a.password == "" {
		a.lacksAppPassword()
		return nil
	}
	app, err := a.nextcloud.AppPassword(ctx, a.account.NextcloudID, a.password)
	a.trace("app password")
	switch {
	case errors.Is(err, ocs.ErrForbidden) && a.hasForeignPassword():
		app = a.password // the user claimed the account with an app password, which reaches the files
	case errors.Is(err, ocs.ErrUnauthorized), errors.Is(err, ocs.ErrForbidden):
		a.lacksAppPassword() // this rejects the account, not the administrator
		return nil
	case err != nil:
		return err
	}
	a.loggedIn = true
	if err := a.saveAppPassword(ctx, a.box.Seal(app, string(a.account.UserID))); err != nil {
		return err
	}
	return a.touchFiles(ctx, app)
}

// saveAppPassword commits the app password at once, as each fetch creates another
// one in Nextcloud; nil discards it.
func (a *attempt) saveAppPassword(ctx context.Context, sealed []byte) error {
	err := a.db.SaveNextcloudAppPassword(ctx, a.account.UserID, a.lease, sealed, a.now())
	if err == nil {
		a.account.AppPassword = sealed
		a.trace("app password kept")
	}
	return err
}

func (a *attempt) lacksAppPassword() {
	if a.outcome.LastError == "" {
		a.outcome.LastError = NoAppPassword
	}
}

// dropCredentials discards credentials that are no longer needed, and asks for the
// user's password if the account lacks it: the next login supplies it.
func (a *attempt) dropCredentials(context.Context) error {
	a.outcome.PendingPassword = nil
	if err := a.dropProof(); err != nil {
		return err
	}
	lacks := !a.outcome.HasUserPassword || a.outcome.LastError == NoAppPassword
	a.outcome.WantsPassword = lacks && a.outcome.LastError != PasswordRefused && !a.hasForeignPassword()
	return nil
}
