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
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
	"github.com/voiceassist/gateway/shared/store"
)

var errPasswordDiffers = fault.New(fault.Conflict, "nextcloud_password_differs",
	"Nextcloud does not have your password yet, or rejected it. Log in again, or change the password.")

// AppPasswords issues and revokes credentials for users' WebDAV clients. It is nil
// without a Nextcloud: then List is empty, and the other methods return
// [nextcloud.ErrNotConfigured]. It is safe for concurrent use.
type AppPasswords struct {
	storage *Storage
	client  *ocs.Client
}

// AppPasswords returns the app passwords of the storage's users.
func (s *Storage) AppPasswords() *AppPasswords {
	if s == nil {
		return nil
	}
	return &AppPasswords{storage: s, client: ocs.New(ocs.Config{URL: s.client.URL, Roots: s.client.Roots, Wrap: s.client.Wrap})}
}

// An Issued is a new app password. It is shown once.
type Issued struct {
	desired.AppPassword

	Login     string // the user's id in Nextcloud, in exactly its letter case
	Password  secret.String
	WebDAVURL string // of the user's folder, as their clients reach it
}

// Ready returns [ErrNotReady] if the account does not exist or should not be usable.
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

// Issue creates an app password with that name. The proof includes the user's gateway
// password. Nextcloud requires the account's actual password, which is either that one
// or the initial one that the gateway stores. The app password is stored, sealed,
// because only the app password itself can revoke it. The event, about the user, is
// recorded with it. If the proof no longer holds at that time, Issue revokes the app
// password and returns an error.
func (a *AppPasswords) Issue(
	ctx context.Context, by signin.Proof, name string, own secret.String, event audit.Event,
) (Issued, error) {
	user := event.User
	o, n, err := a.open(ctx, user)
	if err != nil {
		return Issued{}, err
	}
	s := a.storage
	if err := checkLimit(ctx, &s.db.Statements, user); err != nil {
		return Issued{}, err
	}
	secret := own
	switch {
	case n.HasUserPassword && n.PendingPassword != nil: // Nextcloud does not have the pending password yet
		return Issued{}, errPasswordDiffers.After(s.wait(n))
	case !n.HasUserPassword:
		if secret, err = s.box.Open(n.InitialPassword, string(user)); err != nil {
			return Issued{}, errPasswordDiffers.Because(err)
		}
	}
	token, err := a.client.NamedAppPassword(ctx, n.NextcloudID, secret, name)
	if err != nil {
		return Issued{}, faultOf(err)
	}
	sealed := s.box.Seal(token, string(user))
	issued := Issued{
		AppPassword: desired.AppPassword{
			ID: desired.NewAppPasswordID(), UserID: user, Name: name, Sealed: sealed,
			CreatedAt: s.now().UTC().Truncate(time.Microsecond),
		},
		Login: n.NextcloudID, Password: token, WebDAVURL: o.Public.URL(webdav.Path{}) + "/",
	}
	if err := a.store(ctx, by, issued.AppPassword, event); err != nil {
		// The caller never gets it, so it must not remain.
		return Issued{}, errors.Join(err, a.discard(ctx, n.NextcloudID, token))
	}
	return issued, nil
}

// store records a new app password. Creating it was a login with the account's
// password, so revocations that Nextcloud has rejected are retried.
func (a *AppPasswords) store(ctx context.Context, by signin.Proof, p desired.AppPassword, event audit.Event) error {
	retry := false
	err := a.storage.db.UpdateAs(ctx, by, p.CreatedAt, func(tx *store.Tx, by store.Actor) error {
		if err := checkLimit(ctx, &tx.Statements, p.UserID); err != nil {
			return err
		}
		if err := tx.AddAppPassword(ctx, by, p); err != nil {
			return err
		}
		var err error
		if retry, err = tx.RetryRevocations(ctx, p.UserID, p.CreatedAt); err != nil {
			return err
		}
		if err := a.storage.Outbox.Notice(ctx, tx, mail.AppPasswordCreated, by.Account, event); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err == nil {
		a.storage.Outbox.Wake()
	}
	if retry {
		return a.storage.notify(err)
	}
	return err
}

// checkLimit returns [desired.ErrTooManyAppPasswords] if the user may have no more
// app passwords.
func checkLimit(ctx context.Context, s *store.Statements, user account.ID) error {
	held, err := s.AppPasswordsHeld(ctx, user)
	if err == nil && held >= desired.MaxAppPasswords {
		err = desired.ErrTooManyAppPasswords
	}
	return err
}

// discard revokes an app password, even if ctx has ended.
func (a *AppPasswords) discard(ctx context.Context, login string, token secret.String) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
	defer cancel()
	return a.client.RevokeAppPassword(ctx, login, token)
}

// faultOf returns the error for a failed call with the user's credentials.
func faultOf(err error) error {
	switch {
	case errors.Is(err, ocs.ErrUnauthorized), errors.Is(err, ocs.ErrForbidden):
		return errPasswordDiffers.Because(err)
	case errors.Is(err, ocs.ErrUnavailable), errors.Is(err, ocs.ErrUncertain),
		errors.Is(err, ocs.ErrBadAnswer), errors.Is(err, ocs.ErrRateLimited):
		unavailable := nextcloud.ErrUnavailable.Because(err)
		unavailable.RetryAfter = max(unavailable.RetryAfter, ocs.RetryAfter(err))
		return unavailable
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

// Revoke deletes an app password, in Nextcloud first: after a failure it is still
// listed. If Nextcloud already rejects it, that is no error; should it become valid
// again, the reconciler revokes it.
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
	if err == nil && broken == nil && n.Owned { // otherwise there is no account that it opens, or no key that opens it
		err := a.client.RevokeAppPassword(ctx, n.NextcloudID, token)
		refused = errors.Is(err, ocs.ErrUnauthorized)
		if err != nil && !refused {
			return faultOf(err)
		}
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		if refused {
			return errors.Join(tx.RefuseAppPassword(ctx, user, id, event.At), tx.Audit(ctx, event))
		}
		return errors.Join(tx.RemoveAppPassword(ctx, user, id), tx.Audit(ctx, event))
	})
}
