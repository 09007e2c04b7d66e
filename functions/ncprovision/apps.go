package ncprovision

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// An app password is a credential for the user's own WebDAV clients.
type appPassword struct {
	ID        desired.AppPasswordID `json:"id"`
	Name      string                `json:"name"`
	CreatedAt time.Time             `json:"created_at"`
}

func appPasswordOf(a desired.AppPassword) appPassword {
	return appPassword{ID: a.ID, Name: a.Name, CreatedAt: a.CreatedAt}
}

// issued is an app password with what only this answer shows.
type issued struct {
	appPassword

	UserID    string `json:"user_id"` // the login name, in exactly this letter case
	Password  string `json:"password"`
	WebDAVURL string `json:"webdav_url"`
}

// Header tells where it is revoked.
func (i issued) Header(h http.Header) {
	h.Set("Location", "/api/users/me/nextcloud/app-passwords/"+string(i.ID))
}

type issue struct {
	Name            string                           `json:"name" validate:"required,app_name"`
	CurrentPassword endpoint.Optional[secret.String] `json:"current_password" validate:"required_without=Password,omitempty,filled"`
	Password        endpoint.Optional[secret.String] `json:"password" validate:"omitempty,same_as=CurrentPassword,filled"`

	origin audit.Origin
}

// Bind notes where the request came from.
func (q *issue) Bind(r *http.Request) error {
	q.origin = endpoint.Origin(r)
	return nil
}

// current returns the caller's own password, by whichever name it was sent.
func (q *issue) current() secret.String {
	return cmp.Or(q.CurrentPassword.Value, q.Password.Value)
}

// issue makes an app password. The user's own password is checked here first: an
// access token alone is not to be enough for one, and a wrong password that
// Nextcloud sees makes it slow down everybody.
func (f *Function) issue(ctx context.Context, caller token.Caller, q issue) (issued, error) {
	if err := f.Apps.Ready(ctx, caller.Account.ID); err != nil {
		return issued{}, err
	}
	by, err := f.confirm(ctx, caller, q)
	if err != nil {
		return issued{}, err
	}
	event := audit.New(audit.AppIssued, caller.Account.ID, q.origin, f.Now())
	event.Login, event.Detail = caller.Login, q.Name
	i, err := f.Apps.Issue(ctx, by, q.Name, password.Typed(q.current()), event)
	if err != nil {
		return issued{}, err
	}
	return issued{appPasswordOf(i.AppPassword), i.Login, i.Password.Reveal(), i.WebDAVURL}, nil
}

// confirm checks the caller's own password and returns the proof of it.
func (f *Function) confirm(ctx context.Context, caller token.Caller, q issue) (signin.Proof, error) {
	if err := f.Limits.Account(ctx, ratelimit.Password, string(caller.Account.ID)); err != nil {
		return signin.Proof{}, err
	}
	_, hash, err := f.DB.AccountAndHash(ctx, caller.Account.ID)
	if err != nil {
		return signin.Proof{}, err
	}
	err = f.Passwords.Verify(ctx, hash, q.current())
	if errors.Is(err, password.ErrMismatch) {
		event := audit.New(audit.PasswordRefused, caller.Account.ID, q.origin, f.Now())
		event.Login, event.Detail = caller.Login, audit.ToIssueApp
		if err := f.DB.Audit(ctx, event); err != nil {
			return signin.Proof{}, err
		}
		return signin.Proof{}, account.ErrIncorrectPassword.Because(err)
	}
	if err != nil {
		return signin.Proof{}, err
	}
	return caller.Proof().WithPassword(hash), nil
}

func (f *Function) apps(ctx context.Context, caller token.Caller, _ endpoint.None) ([]appPassword, error) {
	held, err := f.Apps.List(ctx, caller.Account.ID)
	list := make([]appPassword, len(held))
	for i, a := range held {
		list[i] = appPasswordOf(a)
	}
	return list, err
}

type byAppID struct {
	id     desired.AppPasswordID
	origin audit.Origin
}

// Bind reads the id from the path.
func (q *byAppID) Bind(r *http.Request) (err error) {
	q.origin = endpoint.Origin(r)
	q.id, err = desired.ParseAppPasswordID(r.PathValue("id"))
	return err
}

func (f *Function) revoke(ctx context.Context, caller token.Caller, q byAppID) (endpoint.None, error) {
	by := caller.Proof()
	event := audit.New(audit.AppRevoked, by.User(), q.origin, f.Now())
	event.Login, event.Detail = by.Login(), string(q.id)
	if err := endpoint.Reconfirm(ctx, f.Callers, by); err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, f.Apps.Revoke(ctx, q.id, event)
}
