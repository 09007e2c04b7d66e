package access

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
	"github.com/voiceassist/gateway/shared/store"
)

var errPasswordBehind = fault.New(fault.Conflict, "nextcloud_password_differs",
	"Nextcloud does not have your password yet, or rejected it. Log in again, or change the password.")

// AppPasswords gives users credentials for WebDAV clients of their own. A nil
// one is a gateway without a Nextcloud. It is safe for concurrent use.
type AppPasswords struct {
	storage *Storage
	client  *ocs.Client
}

// AppPasswords returns those of the storage's users.
func (s *Storage) AppPasswords() *AppPasswords {
	if s == nil {
		return nil
	}
	return &AppPasswords{storage: s, client: ocs.New(ocs.Config{URL: s.client.URL, Roots: s.client.Roots})}
}

// An Issued app password is shown once.
type Issued struct {
	desired.AppPassword

	Login     string // the user's id in Nextcloud, in exactly its letter case
	Password  secret.String
	WebDAVURL string // of the user's folder, as their clients reach it
}

// Ready returns [ErrNotReady] where the account is not there or may not be used.
func (a *AppPasswords) Ready(ctx context.Context, user account.ID) error {
	_, _, err := a.open(ctx, user)
	return err
}

func (a *AppPasswords) open(ctx context.Context, user account.ID) (*Opened, desired.Account, error) {
	if a == nil {
		return nil, desired.Account{}, nextcloud.ErrNotConfigured
	}
	o, err := a.storage.Open(ctx, user)
	if err != nil {
		return nil, desired.Account{}, err
	}
	n, err := a.storage.db.NextcloudAccount(ctx, user)
	return o, n, err
}

// Issue makes an app password under that name. The proof is of the user's own
// password, too. Nextcloud takes the account's real one: that, or the first one,
// which the gateway keeps. The app password is kept, sealed, as it takes itself
// to revoke it. The event, of the user, is recorded with it. Where the proof does
// not hold any more when it is kept, it is revoked at once and nobody sees it.
func (a *AppPasswords) Issue(
	ctx context.Context, by signin.Proof, name string, own secret.String, event audit.Event,
) (Issued, error) {
	user := event.User
	o, n, err := a.open(ctx, user)
	if err != nil {
		return Issued{}, err
	}
	s := a.storage
	if err := hasRoom(ctx, &s.db.Statements, user); err != nil {
		return Issued{}, err
	}
	secret := own
	switch {
	case n.HasUserPassword && n.PendingPassword != nil: // another waits: ours is not Nextcloud's
		return Issued{}, errPasswordBehind.After(s.wait(n))
	case !n.HasUserPassword:
		if secret, err = s.box.Open(n.InitialPassword, string(user)); err != nil {
			return Issued{}, errPasswordBehind.Because(err)
		}
	}
	token, err := a.client.NamedAppPassword(ctx, n.NextcloudID, secret, name)
	if err != nil {
		return Issued{}, a.told(err)
	}
	sealed, err := s.box.Seal(token, string(user))
	if err != nil {
		return Issued{}, err
	}
	issued := Issued{
		AppPassword: desired.AppPassword{
			ID: desired.NewAppPasswordID(), UserID: user, Name: name, Sealed: sealed,
			CreatedAt: s.now().UTC().Truncate(time.Microsecond),
		},
		Login: n.NextcloudID, Password: token, WebDAVURL: o.Public.URL(webdav.Path{}) + "/",
	}
	if err := a.keep(ctx, by, issued.AppPassword, event); err != nil {
		// Nobody will ever see it: it is not to stay behind.
		return Issued{}, errors.Join(err, a.discard(ctx, n.NextcloudID, token))
	}
	return issued, nil
}

// keep records an app password that was just made. Making it was a sign-in with
// the account's own password, so what Nextcloud refused to revoke is tried again.
func (a *AppPasswords) keep(ctx context.Context, by signin.Proof, p desired.AppPassword, event audit.Event) error {
	retry := false
	err := a.storage.db.UpdateAs(ctx, by, p.CreatedAt, func(tx *store.Tx, by store.Actor) error {
		if err := hasRoom(ctx, &tx.Statements, p.UserID); err != nil {
			return err
		}
		if err := tx.AddAppPassword(ctx, by, p); err != nil {
			return err
		}
		var err error
		if retry, err = tx.RetryRevocations(ctx, p.UserID, p.CreatedAt); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if retry {
		return a.storage.notify(err)
	}
	return err
}

// hasRoom returns [desired.ErrTooManyAppPasswords] where the user may have no more.
func hasRoom(ctx context.Context, s *store.Statements, user account.ID) error {
	held, err := s.AppPasswordsHeld(ctx, user)
	if err == nil && held >= desired.MaxAppPasswords {
		err = desired.ErrTooManyAppPasswords
	}
	return err
}

// discard revokes a token that the caller's context may not outlive.
func (a *AppPasswords) discard(ctx context.Context, login string, token secret.String) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
	defer cancel()
	return a.client.RevokeAppPassword(ctx, login, token)
}

// told returns the fault of a call with the user's own credentials.
func (a *AppPasswords) told(err error) error {
	switch {
	case errors.Is(err, ocs.ErrUnauthorized), errors.Is(err, ocs.ErrForbidden):
		return errPasswordBehind.Because(err)
	case errors.Is(err, ocs.ErrUnavailable), errors.Is(err, ocs.ErrUncertain),
		errors.Is(err, ocs.ErrBadAnswer), errors.Is(err, ocs.ErrRateLimited):
		told := nextcloud.ErrUnavailable.Because(err)
		told.RetryAfter = max(told.RetryAfter, ocs.RetryAfter(err))
		return told
	}
	return err
}

// List returns the user's app passwords, newest first.
func (a *AppPasswords) List(ctx context.Context, user account.ID) ([]desired.AppPassword, error) {
	if a == nil {
		return []desired.AppPassword{}, nil
	}
	return a.storage.db.AppPasswords(ctx, user)
}

// Revoke makes an app password worthless, at Nextcloud first: a failure leaves
// it listed. One that is worthless already is fine; should it come alive again,
// the reconciler revokes it.
func (a *AppPasswords) Revoke(ctx context.Context, id desired.AppPasswordID, event audit.Event) error {
	if a == nil {
		return nextcloud.ErrNotConfigured
	}
	s, user := a.storage, event.User
	held, err := s.db.AppPassword(ctx, user, id)
	if err != nil {
		return err
	}
	n, err := s.db.NextcloudAccount(ctx, user)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return err
	}
	refused := false
	token, broken := s.box.Open(held.Sealed, string(user))
	if err == nil && broken == nil && n.Owned { // else nothing is left that it opens, or that opens it
		err := a.client.RevokeAppPassword(ctx, n.NextcloudID, token)
		refused = errors.Is(err, ocs.ErrUnauthorized)
		if err != nil && !refused {
			return a.told(err)
		}
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		if refused {
			return errors.Join(tx.RefuseAppPassword(ctx, user, id, event.At), tx.Audit(ctx, event))
		}
		return errors.Join(tx.RemoveAppPassword(ctx, user, id), tx.Audit(ctx, event))
	})
}
