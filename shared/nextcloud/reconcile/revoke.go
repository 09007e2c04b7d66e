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

// errRevoke is a failure to revoke an app password that concerns this account
// alone.
var errRevoke = errors.New("an app password cannot be revoked")

// revocations is where a try stands with the app passwords to be revoked.
type revocations struct {
	signedIn bool // this try has signed in with the account's own password
	struck   bool // an app password was refused before that
	left     bool // some are not revoked
	untried  bool // of them, some were not even tried
}

// revoke deletes at Nextcloud the app passwords that their owner took back. It
// runs before a new password is set, while they are alive: the change of the
// password kills them, and the sign-in that follows it revives them. One that is
// refused was deleted by somebody else, or is dead only until that sign-in. So
// after it this runs again, and only then is a refusal believed.
//
// A refusal counts against all users of the gateway, until a success of the same
// user. Where nothing opens the account, there is one and no more.
func (t *try) revoke(ctx context.Context) error {
	list, err := t.db.Revocations(ctx, t.account.UserID)
	if err != nil {
		return err
	}
	t.left, t.untried = false, false
	for _, r := range list {
		if r.State == desired.RevocationRefused && !t.signedIn {
			t.left = true
			continue
		}
		refused, err := t.revokeOne(ctx, r)
		if err != nil {
			return err
		}
		if !refused {
			continue
		}
		if forgiven, err := t.forgive(ctx); err != nil {
			return err
		} else if !forgiven {
			t.left, t.untried = true, r.ID != list[len(list)-1].ID
			return nil
		}
	}
	return nil
}

// revokeOne deletes one app password and reports whether Nextcloud refused it.
// The revocation ends when the app password is known to be gone, not before.
func (t *try) revokeOne(ctx context.Context, r desired.Revocation) (refused bool, err error) {
	app, err := t.box.Open(r.Sealed, string(t.account.UserID))
	if err != nil {
		slog.LogAttrs(ctx, slog.LevelWarn, "an app password is not revoked: it opens with no key",
			slog.String("user_id", string(t.account.UserID)))
		return false, t.db.EndRevocation(ctx, r.ID)
	}
	err = t.directory.RevokeAppPassword(ctx, t.account.NextcloudID, app)
	t.reached("app password revoked")
	refused = errors.Is(err, ocs.ErrUnauthorized)
	switch {
	case refused && !t.signedIn && r.State != desired.RevocationRetried:
		t.struck, t.left = true, true
		err = t.db.RefuseRevocation(ctx, r.ID)
	case err == nil, refused:
		err = t.db.EndRevocation(ctx, r.ID)
	default:
		return false, ofAccount(err)
	}
	t.reached("revocation noted")
	return refused, err
}

// forgive signs in as the account, so that Nextcloud forgets its refusals, and
// reports whether anything opens the account.
func (t *try) forgive(ctx context.Context) (bool, error) {
	if t.signedIn {
		return t.signsIn(ctx, t.real)
	}
	if t.account.AppPassword == nil {
		return false, nil
	}
	app, err := t.box.Open(t.account.AppPassword, string(t.account.UserID))
	if err != nil {
		return false, nil //nolint:nilerr // another is fetched later
	}
	opens, err := t.signsIn(ctx, app)
	if err != nil || opens {
		return opens, err
	}
	return false, t.keepApp(ctx, nil)
}

// revokeLeft revokes what was left, now that the account's own password has been
// used, or can be.
func (t *try) revokeLeft(ctx context.Context) error {
	if !t.left {
		return nil
	}
	if !t.signedIn && t.struck && !t.outcome.HasUserPassword {
		if first, err := t.box.Open(t.account.InitialPassword, string(t.account.UserID)); err == nil {
			t.real = first
			if t.signedIn, err = t.signsIn(ctx, first); err != nil {
				return err
			}
		}
	}
	if t.signedIn {
		if err := t.revoke(ctx); err != nil {
			return err
		}
	}
	if t.untried {
		return errRevoke
	}
	return nil
}

func (t *try) signsIn(ctx context.Context, password secret.String) (bool, error) {
	opens, err := t.signsInAs(ctx, password)
	return opens, ofAccount(err)
}

// ofAccount returns the error of a call with the account's own credentials, such
// that nothing but an outage is taken for trouble with Nextcloud as a whole.
func ofAccount(err error) error {
	if err == nil || errors.Is(err, ocs.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %v", errRevoke, err) //nolint:errorlint // see above
}
