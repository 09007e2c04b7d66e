package provision

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/signin"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/webdav"
	"github.com/voiceassist/gateway/shared/wish"
)

// What stands between a user and an app password.
var (
	errNeedsPassword = fault.Fields{{Field: "password", Code: "required",
		Message: "Must be sent: Nextcloud takes your password for it, and the gateway does not keep it."}}
	errPasswordBehind = fault.New(fault.Conflict, "nextcloud_password_differs",
		"Nextcloud does not have your password yet, or refused it; sign in again, or change it.")
	errNoAnswer = fault.New(fault.Unavailable, "nextcloud_unavailable", "Nextcloud does not answer at the moment.").After(5 * time.Second)
)

// AppPasswords gives users credentials for WebDAV clients of their own. A nil
// one is a gateway without a Nextcloud. It is safe for concurrent use.
type AppPasswords struct {
	storage *Storage
	client  *nextcloud.Client
}

// AppPasswords returns those of the storage's users.
func (s *Storage) AppPasswords() *AppPasswords {
	if s == nil {
		return nil
	}
	return &AppPasswords{storage: s, client: nextcloud.New(nextcloud.Config{URL: s.client.URL, Roots: s.client.Roots})}
}

// An Issued app password is shown once.
type Issued struct {
	wish.AppPassword

	Login     string // the user's id in Nextcloud, in exactly its letter case
	Password  config.Secret
	WebDAVURL string // of the user's folder, as their clients reach it
}

// Needs reports whether the user must send their own password for another app
// password: it does, unless the account is opened by one that only the gateway
// knows. [ErrNotReady] is an account that is not there or may not be used.
func (a *AppPasswords) Needs(ctx context.Context, user account.ID) (bool, error) {
	_, n, err := a.open(ctx, user)
	return n.Personal, err
}

func (a *AppPasswords) open(ctx context.Context, user account.ID) (*Opened, wish.Account, error) {
	if a == nil {
		return nil, wish.Account{}, ErrNoNextcloud
	}
	o, err := a.storage.Open(ctx, user)
	if err != nil {
		return nil, wish.Account{}, err
	}
	n, err := a.storage.db.NextcloudAccount(ctx, user)
	return o, n, err
}

// Issue makes an app password under that name. It takes the account's real
// password: the user's own, which the caller has checked against ours, or the
// first one, which the gateway keeps. It is kept, sealed, as it takes itself to
// revoke it. The event, of the user, is recorded with it. Where the proof does
// not hold any more when it is kept, it is revoked at once and nobody sees it.
func (a *AppPasswords) Issue(
	ctx context.Context, by signin.Proof, name string, own config.Secret, event audit.Event,
) (Issued, error) {
	user := event.User
	o, n, err := a.open(ctx, user)
	if err != nil {
		return Issued{}, err
	}
	s := a.storage
	held, err := s.db.AppPasswords(ctx, user)
	switch {
	case err != nil:
		return Issued{}, err
	case len(held) >= wish.MaxAppPasswords:
		return Issued{}, wish.ErrManyAppPasswords
	}
	secret := own
	switch {
	case n.Personal && own == "":
		return Issued{}, errNeedsPassword.Err()
	case n.Personal && n.Password != nil: // another waits: ours is not Nextcloud's
		return Issued{}, errPasswordBehind.After(s.wait(n))
	case !n.Personal:
		if secret, err = s.box.Open(n.First, string(user)); err != nil {
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
		AppPassword: wish.AppPassword{
			ID: wish.NewAppPasswordID(), UserID: user, Name: name, Sealed: sealed,
			CreatedAt: s.now().UTC().Truncate(time.Microsecond),
		},
		Login: n.NextcloudID, Password: token, WebDAVURL: o.Public.URL(webdav.Path{}) + "/",
	}
	err = s.db.UpdateAs(ctx, by, s.now(), func(tx *store.Tx, by store.Confirmed) error {
		return errors.Join(tx.AddAppPassword(ctx, by, issued.AppPassword), tx.Audit(ctx, event))
	})
	if err != nil {
		// Nobody will ever see it: it is not to stay behind.
		return Issued{}, errors.Join(err, a.discard(ctx, n.NextcloudID, token))
	}
	return issued, nil
}

// discard revokes a token that the caller's context may not outlive.
func (a *AppPasswords) discard(ctx context.Context, login string, token config.Secret) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
	defer cancel()
	return a.client.RevokeAppPassword(ctx, login, token)
}

// told returns the fault of a call with the user's own credentials.
func (a *AppPasswords) told(err error) error {
	switch {
	case errors.Is(err, nextcloud.ErrUnauthorized), errors.Is(err, nextcloud.ErrForbidden):
		return errPasswordBehind.Because(err)
	case errors.Is(err, nextcloud.ErrUnavailable), errors.Is(err, nextcloud.ErrUncertain),
		errors.Is(err, nextcloud.ErrBadAnswer), errors.Is(err, nextcloud.ErrRateLimited):
		told := errNoAnswer.Because(err)
		told.RetryAfter = max(told.RetryAfter, nextcloud.RetryAfter(err))
		return told
	}
	return err
}

// List returns the user's app passwords, newest first.
func (a *AppPasswords) List(ctx context.Context, user account.ID) ([]wish.AppPassword, error) {
	if a == nil {
		return []wish.AppPassword{}, nil
	}
	return a.storage.db.AppPasswords(ctx, user)
}

// Revoke makes an app password worthless, at Nextcloud first: a failure leaves
// it listed. One that is worthless already is fine.
func (a *AppPasswords) Revoke(ctx context.Context, id wish.AppPasswordID, event audit.Event) error {
	if a == nil {
		return ErrNoNextcloud
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
	token, broken := s.box.Open(held.Sealed, string(user))
	if err == nil && broken == nil && n.Owned { // else nothing is left that it opens, or that opens it
		err := a.client.RevokeAppPassword(ctx, n.NextcloudID, token)
		if err != nil && !errors.Is(err, nextcloud.ErrUnauthorized) {
			return a.told(err)
		}
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.RemoveAppPassword(ctx, user, id), tx.Audit(ctx, event))
	})
}
