package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// errRevocation is a failure to revoke an app password that concerns one account
// alone.
var errRevocation = errors.New("an app password cannot be revoked")

// revocations is the progress of an attempt with the app passwords to revoke.
type revocations struct {
	loggedIn  bool // the attempt has logged in with the account's own password
	rejected  bool // Nextcloud rejected an app password before that
	remaining bool // some app passwords are not revoked
	skipped   bool // some of them were not even tried
}

// revokeAppPasswords deletes in Nextcloud the app passwords that their owner has
// revoked. It runs before a new password is set, while they are valid: the change
// of the password invalidates them, and the login that follows makes them valid
// again. If Nextcloud rejects one, somebody else has deleted it, or it is invalid
// only until that login. So this step is repeated after the login, and only then
// is a rejection final.
//
// Nextcloud counts a rejection against all users of the gateway, until the same
// user succeeds. If nothing opens the account, the step stops at the first one.
func (a *attempt) revokeAppPasswords(ctx context.Context) error {
	list, err := a.db.Revocations(ctx, a.account.UserID)
	if err != nil {
		return err
	}
	a.remaining, a.skipped = false, false
	for _, r := range list {
		if r.State == desired.RevocationRefused && !a.loggedIn {
			a.remaining = true
			continue
		}
		rejected, err := a.revokeOne(ctx, r)
		if err != nil {
			return err
		}
		if !rejected {
			continue
		}
		if reset, err := a.resetThrottle(ctx); err != nil {
			return err
		} else if !reset {
			a.remaining, a.skipped = true, r.ID != list[len(list)-1].ID
			return nil
		}
	}
	return nil
}

// revokeOne deletes one app password and reports whether Nextcloud rejected it.
// The revocation ends once the app password is known to be gone.
func (a *attempt) revokeOne(ctx context.Context, r desired.Revocation) (rejected bool, err error) {
	app, err := a.box.Open(r.Sealed, string(a.account.UserID))
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelWarn, "an app password is not revoked: it opens with no key",
			slog.String("user_id", string(a.account.UserID)))
		return false, a.db.EndRevocation(ctx, r.ID)
	}
	err = a.nextcloud.RevokeAppPassword(ctx, a.account.NextcloudID, app)
	a.trace("app password revoked")
	rejected = errors.Is(err, ocs.ErrUnauthorized)
	switch {
	case rejected && !a.loggedIn && r.State != desired.RevocationRetried:
		a.rejected, a.remaining = true, true
		err = a.db.RefuseRevocation(ctx, r.ID)
	case err == nil, rejected:
		err = a.db.EndRevocation(ctx, r.ID)
	default:
		return false, ofThisAccount(err)
	}
	a.trace("revocation noted")
	return rejected, err
}

// resetThrottle logs in to the account, so that Nextcloud forgets the rejections
// of this user. It reports whether anything opens the account.
func (a *attempt) resetThrottle(ctx context.Context) (bool, error) {
	if a.loggedIn {
		return a.logInForRevocation(ctx, a.password)
	}
	if a.account.AppPassword == nil {
		return false, nil
	}
	app, err := a.box.Open(a.account.AppPassword, string(a.account.UserID))
	if err != nil {
		return false, nil //nolint:nilerr // another is fetched later
	}
	opens, err := a.logInForRevocation(ctx, app)
	if err != nil || opens {
		return opens, err
	}
	return false, a.saveAppPassword(ctx, nil)
}

// revokeRemaining revokes what is left, now that the account's own password has
// been used, or can be.
func (a *attempt) revokeRemaining(ctx context.Context) error {
	if !a.remaining {
		return nil
	}
	if !a.loggedIn && a.rejected && !a.outcome.HasUserPassword {
		if initial, err := a.box.Open(a.account.InitialPassword, string(a.account.UserID)); err == nil {
			a.password = initial
			if a.loggedIn, err = a.logInForRevocation(ctx, initial); err != nil {
				return err
			}
		}
	}
	if a.loggedIn {
		if err := a.revokeAppPasswords(ctx); err != nil {
			return err
		}
	}
	if a.skipped {
		return errRevocation
	}
	return nil
}

func (a *attempt) logInForRevocation(ctx context.Context, password secret.String) (bool, error) {
	opens, err := a.logIn(ctx, password)
	return opens, ofThisAccount(err)
}

// ofThisAccount returns the error of a call with the account's own credentials.
// Only an outage is still recognized as a failure of Nextcloud as a whole.
func ofThisAccount(err error) error {
	if err == nil || errors.Is(err, ocs.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %v", errRevocation, err)
}
