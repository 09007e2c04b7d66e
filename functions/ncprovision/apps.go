package ncprovision

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
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

// An issued response contains an app password with its secret, which no other response
// shows.
type issued struct {
	appPassword

	UserID    string `json:"user_id"` // the login name, in exactly this letter case
	Password  string `json:"password"`
	WebDAVURL string `json:"webdav_url"`
}

// Header sets the address at which the app password can be revoked.
func (i issued) Header(h http.Header) {
	h.Set("Location", "/api/users/me/nextcloud/app-passwords/"+string(i.ID))
}

type issue struct {
	Name            string                           `json:"name" validate:"required,app_name"`
	CurrentPassword endpoint.Optional[secret.String] `json:"current_password" validate:"required_without=Password,omitempty,filled"`
	Password        endpoint.Optional[secret.String] `json:"password" validate:"omitempty,same_as=CurrentPassword,filled"`
	Code            secret.String                    `json:"code"`
}

// current returns the caller's gateway password, from either field.
func (q *issue) current() secret.String {
	return cmp.Or(q.CurrentPassword.Value, q.Password.Value)
}

// issue creates an app password. It first verifies the caller's gateway password: an
// access token alone must not be enough, and a wrong password that reaches Nextcloud
// makes it delay all calls of the gateway.
func (f *Function) issue(ctx context.Context, caller endpoint.Caller, q issue) (issued, error) {
	if err := f.Apps.Ready(ctx, caller.Account.ID); err != nil {
		return issued{}, err
	}
	sent := password.Credentials{Password: q.current(), Code: q.Code}
	by, err := f.Confirmer.ConfirmAll(ctx, caller.Proof(), caller.Origin, sent, audit.ToIssueApp)
	if err != nil {
		return issued{}, err
	}
	event := caller.Event(audit.AppIssued, caller.Account.ID, f.Now())
	event.Detail = q.Name
	i, err := f.Apps.Issue(ctx, by, q.Name, password.Normalize(q.current()), event)
	if err != nil {
		return issued{}, err
	}
	return issued{appPasswordOf(i.AppPassword), i.Login, i.Password.Reveal(), i.WebDAVURL}, nil
}

func (f *Function) apps(ctx context.Context, caller endpoint.Caller, _ endpoint.None) ([]appPassword, error) {
	held, err := f.Apps.List(ctx, caller.Account.ID)
	list := make([]appPassword, len(held))
	for i, a := range held {
		list[i] = appPasswordOf(a)
	}
	return list, err
}

type byAppID struct{ id desired.AppPasswordID }

// Bind reads the id from the path.
func (q *byAppID) Bind(r *http.Request) (err error) {
	q.id, err = desired.ParseAppPasswordID(r.PathValue("id"))
	return err
}

func (f *Function) revoke(ctx context.Context, caller endpoint.Caller, q byAppID) (endpoint.None, error) {
	event := caller.Event(audit.AppRevoked, caller.Account.ID, f.Now())
	event.Detail = string(q.id)
	if err := f.Auth.Recheck(ctx, caller.Proof()); err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, f.Apps.Revoke(ctx, q.id, event)
}
