package access

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
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
	soon  = 5 * time.Second  // Retry-After while the reconciler works on the account
	later = 15 * time.Minute // Retry-After for an account that needs a user or an administrator

	idleConns = 64 // to Nextcloud: concurrent transfers that need no new connection
)

// A Storage opens users' folders in Nextcloud. It is nil without a Nextcloud: then
// Open returns [nextcloud.ErrNotConfigured]. It is safe for concurrent use.
type Storage struct {
	db     *store.DB
	box    *seal.Box
	client *webdav.Client // with the address for the gateway
	public *webdav.Client // with the address for users
	now    func() time.Time

	Notify func()       // wakes the reconciler of this process; may be nil
	Outbox *mail.Outbox // for notices; may be nil
}

// NewStorage returns the storage on the server, or nil if none is configured. It
// needs no administrator.
func NewStorage(s nextcloud.Server, db *store.DB, ring *keyring.Ring, now func() time.Time) *Storage {
	if s.URL == nil {
		return nil
	}
	return &Storage{
		db: db, box: desired.NewBox(ring), now: now,
		client: webdav.New(webdav.Config{URL: s.URL, Roots: s.Roots, IdleConns: idleConns, Wrap: s.Wrap}),
		public: webdav.New(webdav.Config{URL: s.PublicURL}),
	}
}

// An Opened is the folder of one user.
type Opened struct {
	*webdav.Folder

	Public *webdav.Folder // the same folder with the addresses for users' clients; not for calls

	user account.ID
	app  []byte // sealed
}

// Open returns the user's folder, or [ErrNotReady] while the account does not exist,
// should not be usable, or cannot be reached. It does not matter whether the last
// change to the account has been applied.
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
	if err != nil { // its key is lost: the reconciler fetches another one
		return nil, errors.Join(ErrNotReady.After(soon).Because(err), s.discard(ctx, user, n.AppPassword))
	}
	return &Opened{
		Folder: s.client.Folder(n.NextcloudID, app), Public: s.public.Folder(n.NextcloudID, ""),
		user: user, app: n.AppPassword,
	}, nil
}

// wait returns how long to wait for n: until its next attempt, and a little longer.
func (s *Storage) wait(n desired.Account) time.Duration {
	if n.DueAt == nil {
		return later
	}
	return max(soon, n.DueAt.Sub(s.now()).Truncate(time.Second))
}

// Failed returns the error for a call that failed with err. If Nextcloud rejected
// the app password or the account is disabled, it makes the account due and returns
// [ErrNotReady]; the app password is not used again. Other errors are returned as
// they are.
func (s *Storage) Failed(ctx context.Context, o *Opened, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
	defer cancel()
	switch {
	case errors.Is(err, ocs.ErrUnauthorized):
		return errors.Join(ErrNotReady.After(soon).Because(err), s.discard(ctx, o.user, o.app))
	case errors.Is(err, webdav.ErrDisabled):
		return errors.Join(ErrNotReady.After(soon).Because(err), s.notify(s.db.RecheckNextcloudUser(ctx, o.user, s.now())))
	}
	return err
}

// discard discards the app password, and makes the account due.
func (s *Storage) discard(ctx context.Context, user account.ID, app []byte) error {
	return s.notify(s.db.DiscardNextcloudAppPassword(ctx, user, app, s.now()))
}

// notify wakes the reconciler unless err is an error, which it returns.
func (s *Storage) notify(err error) error {
	if err == nil && s.Notify != nil {
		s.Notify()
	}
	return err
}
