package access

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
	"github.com/voiceassist/gateway/shared/store"
)

// ErrNotReady is returned while a user's files cannot be reached.
var ErrNotReady = fault.New(fault.Conflict, "storage_not_ready",
	"Your storage is not ready. GET /api/users/me/nextcloud shows its status.")

const (
	soon  = 5 * time.Second  // until a client may try again while the reconciler works on the account
	later = 15 * time.Minute // the same for an account that waits for a person
)

// A Storage opens the folders of users. A nil one is a gateway without a
// Nextcloud. It is safe for concurrent use.
type Storage struct {
	db     *store.DB
	box    *seal.Box
	client *webdav.Client // by the address that the gateway uses
	public *webdav.Client // by that of users
	now    func() time.Time

	Notify func() // tells the reconciler of this process that there is work; may be nil
}

// ReadStorage returns the storage in the environment's Nextcloud, or nil where
// there is none. It needs no administrator.
func ReadStorage(env *config.Env, db *store.DB, ring *keyring.Ring, now func() time.Time) *Storage {
	s := nextcloud.ReadServer(env)
	if s.URL == nil {
		return nil
	}
	return &Storage{
		db: db, box: desired.NewBox(ring), now: now,
		client: webdav.New(webdav.Config{URL: s.URL, Roots: s.Roots}),
		public: webdav.New(webdav.Config{URL: s.PublicURL}),
	}
}

// An Opened folder is one user's, and how to reach it.
type Opened struct {
	*webdav.Folder

	Public *webdav.Folder // for its addresses, as the user's own clients reach them

	user account.ID
	app  []byte // sealed
}

// Open returns the folder of the user, or [ErrNotReady] while their account is
// not there, not theirs to use, or cannot be reached. What counts is whether it
// was made and what is wished for it, not whether the last change to it came
// through.
func (s *Storage) Open(ctx context.Context, user account.ID) (*Opened, error) {
	if s == nil {
		return nil, nextcloud.ErrNotConfigured
	}
	n, err := s.db.NextcloudAccount(ctx, user)
	switch {
	case errors.Is(err, account.ErrNotFound):
		return nil, ErrNotReady.After(soon)
	case err != nil:
		return nil, err
	case !n.Owned, n.AppPassword == nil, n.State != desired.Present:
		return nil, ErrNotReady.After(s.wait(n))
	}
	app, err := s.box.Open(n.AppPassword, string(user))
	if err != nil { // the key it was sealed under is gone: another is fetched
		return nil, errors.Join(ErrNotReady.After(soon).Because(err), s.refuse(ctx, user, n.AppPassword))
	}
	return &Opened{
		Folder: s.client.Folder(n.NextcloudID, app), Public: s.public.Folder(n.NextcloudID, ""),
		user: user, app: n.AppPassword,
	}, nil
}

// wait is how long to wait for n: until it is tried, and a little.
func (s *Storage) wait(n desired.Account) time.Duration {
	if n.DueAt == nil {
		return later
	}
	return max(soon, n.DueAt.Sub(s.now()).Truncate(time.Second))
}

// Failed returns the fault of a call that could not use the account as it is:
// its app password is refused, or it is disabled. The reconciler is told, and
// the password is never sent again. Every other error it returns as it is.
func (s *Storage) Failed(ctx context.Context, o *Opened, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
	defer cancel()
	switch {
	case errors.Is(err, ocs.ErrUnauthorized):
		return errors.Join(ErrNotReady.After(soon).Because(err), s.refuse(ctx, o.user, o.app))
	case errors.Is(err, webdav.ErrDisabled):
		return errors.Join(ErrNotReady.After(soon).Because(err), s.notify(s.db.RecheckNextcloudUser(ctx, o.user, s.now())))
	}
	return err
}

func (s *Storage) refuse(ctx context.Context, user account.ID, app []byte) error {
	return s.notify(s.db.DiscardNextcloudAppPassword(ctx, user, app, s.now()))
}

func (s *Storage) notify(err error) error {
	if err == nil && s.Notify != nil {
		s.Notify()
	}
	return err
}
