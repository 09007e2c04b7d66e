package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// What reaching the files can end with, besides the errors of the directory.
var (
	errAppRefused = errors.New("the app password is refused")
	errFiles      = errors.New("the files cannot be reached")
)

// reachFiles makes sure that the gateway reaches the account's files, which
// also makes the folder the first time. An app password that is refused is
// replaced.
func (t *try) reachFiles(ctx context.Context) error {
	if t.account.AppPassword != nil {
		app, err := t.box.Open(t.account.AppPassword, string(t.account.UserID))
		if err == nil {
			err = t.touch(ctx, app)
		}
		if !errors.Is(err, errAppRefused) && !errors.Is(err, seal.ErrOpen) {
			return err
		}
		if err := t.keepApp(ctx, nil); err != nil {
			return err
		}
	}
	return t.fetchAppPassword(ctx)
}

func (t *try) touch(ctx context.Context, app secret.String) error {
	err := t.directory.Touch(ctx, t.account.NextcloudID, app)
	t.reached("touched")
	switch {
	case err == nil, errors.Is(err, ocs.ErrMaintenance):
		return err
	case errors.Is(err, ocs.ErrUnauthorized):
		return errAppRefused
	}
	// Whatever it is, it is this account's: the administrator is not meant, and
	// the calls before it were answered.
	return fmt.Errorf("%w: %v", errFiles, err) //nolint:errorlint // see above
}

// keepApp commits the app password at once: each fetch makes another.
func (t *try) keepApp(ctx context.Context, sealed []byte) error {
	err := t.db.SaveNextcloudAppPassword(ctx, t.account.UserID, t.lease, sealed, t.now())
	if err == nil {
		t.account.AppPassword = sealed
		t.reached("app password kept")
	}
	return err
}

// fetchAppPassword gets the app password with which the gateway reaches the
// files. It takes the account's own password: the first one, or one that was
// just set; the user's own is known only then.
func (t *try) fetchAppPassword(ctx context.Context) error {
	if t.real == "" && !t.outcome.HasUserPassword {
		t.real, _ = t.box.Open(t.account.InitialPassword, string(t.account.UserID)) // else it stays unknown
	}
	if t.real == "" {
		t.lacksAppPassword()
		return nil
	}
	app, err := t.directory.AppPassword(ctx, t.account.NextcloudID, t.real)
	t.reached("app password")
	switch {
	case errors.Is(err, ocs.ErrForbidden) && t.foreign():
		app = t.real // the owner proved it with an app password, which is good for the files
	case errors.Is(err, ocs.ErrUnauthorized), errors.Is(err, ocs.ErrForbidden):
		t.lacksAppPassword() // of this account; the administrator is not refused
		return nil
	case err != nil:
		return err
	}
	t.signedIn = true
	sealed, err := t.box.Seal(app, string(t.account.UserID))
	if err != nil {
		return err
	}
	if err := t.keepApp(ctx, sealed); err != nil {
		return err
	}
	return t.touch(ctx, app)
}

func (t *try) lacksAppPassword() {
	if t.outcome.LastError == "" {
		t.outcome.LastError = NoAppPassword
	}
}
