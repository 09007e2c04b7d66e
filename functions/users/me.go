package users

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/document"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/password"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/token"
)

// me returns the caller's account; the check of the token has read it already.
func (*Function) me(_ context.Context, caller token.Caller, _ endpoint.None) (account.Profile, error) {
	return caller.Account.Profile(), nil
}

// A changeMe request changes the fields that are present. null resets a name
// or the preferences.
type changeMe struct {
	FullName        endpoint.Optional[string]          `json:"full_name"`
	Email           endpoint.Optional[string]          `json:"email"`
	Preferences     endpoint.Optional[json.RawMessage] `json:"preferences"`
	CurrentPassword config.Secret                      `json:"current_password"`

	changes store.Changes
	origin  audit.Origin
}

// Bind notes where the request came from.
func (q *changeMe) Bind(r *http.Request) error {
	q.origin = endpoint.Origin(r)
	return nil
}

// Validate parses the fields that are present.
func (q *changeMe) Validate() error {
	var wrong fault.Fields
	if q.FullName.Set {
		name := fault.ParseField(&wrong, "full_name", q.FullName.Value, account.ParseName)
		q.changes.FullName = &name
	}
	if q.Email.Set {
		email := fault.ParseField(&wrong, "email", q.Email.Value, account.ParseEmail)
		q.changes.Email, q.changes.Spelled = &email, account.Spelled(q.Email.Value)
		wrong.Check(q.CurrentPassword != "", "current_password", "required", "Is required to change the e-mail address.")
	}
	if q.Preferences.Set {
		preferences := document.Empty
		if !q.Preferences.Null {
			preferences = fault.ParseField(&wrong, "preferences", q.Preferences.Value, account.ParsePreferences)
		}
		q.changes.Preferences = &preferences
	}
	return wrong.Err()
}

func (f *Function) changeMe(ctx context.Context, caller token.Caller, q changeMe) (account.Profile, error) {
	by := caller.Proof()
	if q.changes.Email != nil {
		var err error
		if by, err = f.confirm(ctx, caller, q.CurrentPassword, audit.ToChangeEmail, q.origin); err != nil {
			return account.Profile{}, err
		}
	}
	return f.apply(ctx, by, caller.Account.ID, q.changes, q.origin)
}

type secret = endpoint.Optional[config.Secret]

// A changePassword request has both passwords under the names that clients have
// for them; the last two are those of VoiceAssist's web app.
type changePassword struct {
	CurrentPassword secret `json:"current_password"`
	OldPassword     secret `json:"old_password"`
	NewPassword     secret `json:"new_password"`
	WebCurrent      secret `json:"currentPassword"`
	WebNew          secret `json:"newPassword"`

	KeepAppPasswords bool `json:"keep_app_passwords"`

	current, fresh config.Secret
	freshName      string // as it was sent
	origin         audit.Origin
}

// Bind notes where the request came from.
func (q *changePassword) Bind(r *http.Request) error {
	q.origin = endpoint.Origin(r)
	return nil
}

// Validate checks that both are there; what makes a good password depends on
// whose it is.
func (q *changePassword) Validate() error {
	var wrong fault.Fields
	var name string
	q.current, name = endpoint.OneOf(&wrong, q.CurrentPassword.As("current_password"),
		q.OldPassword.As("old_password"), q.WebCurrent.As("currentPassword"))
	wrong.Require(q.current != "", name)
	q.fresh, q.freshName = endpoint.OneOf(&wrong, q.NewPassword.As("new_password"), q.WebNew.As("newPassword"))
	wrong.Require(q.fresh != "", q.freshName)
	return wrong.Err()
}

type message struct {
	Message string `json:"message"`
}

// changePassword sets a new password, and ends every other login and, unless they
// are to be kept, the app passwords. Of two changes at once one wins; the other is
// told that its current password is not correct.
func (f *Function) changePassword(ctx context.Context, caller token.Caller, q changePassword) (message, error) {
	who := caller.Account
	var wrong fault.Fields
	fresh := fault.ParseField(&wrong, q.freshName, q.fresh, func(plain config.Secret) (password.Password, error) {
		return password.Parse(plain.Reveal(), who.Email)
	})
	if err := wrong.Err(); err != nil {
		return message{}, err
	}
	by, err := f.confirm(ctx, caller, q.current, audit.ToChangePassword, q.origin)
	if err != nil {
		return message{}, err
	}
	hash, err := f.Passwords.Hash(ctx, fresh)
	if err != nil {
		return message{}, err
	}
	now := f.Now()
	event := eventBy(by, audit.PasswordChanged, who.ID, q.origin, now)
	err = f.DB.UpdateAs(ctx, by, now, func(tx *store.Tx, by store.Confirmed) error {
		if err := tx.ChangePassword(ctx, by, hash); err != nil {
			return err
		}
		if _, err := tx.RevokeLogins(ctx, by, who.ID, caller.Login, string(audit.PasswordChanged), now); err != nil {
			return err
		}
		if !q.KeepAppPasswords {
			if err := f.Wishes.RevokeApps(ctx, tx, event); err != nil {
				return err
			}
		}
		if err := f.Wishes.PasswordChanged(ctx, tx, by.Account, fresh.Reveal(), now); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return message{}, err
	}
	f.Wishes.Wake()
	return message{Message: "Password updated successfully"}, nil
}

type deleteMe struct {
	CurrentPassword secret `json:"current_password"`
	Password        secret `json:"password"`

	current config.Secret
	origin  audit.Origin
}

// Bind notes where the request came from.
func (q *deleteMe) Bind(r *http.Request) error {
	q.origin = endpoint.Origin(r)
	return nil
}

// Validate checks that the password is there.
func (q *deleteMe) Validate() error {
	var wrong fault.Fields
	var name string
	q.current, name = endpoint.OneOf(&wrong, q.CurrentPassword.As("current_password"), q.Password.As("password"))
	wrong.Require(q.current != "", name)
	return wrong.Err()
}

func (f *Function) deleteMe(ctx context.Context, caller token.Caller, q deleteMe) (endpoint.None, error) {
	who := caller.Account.ID
	by, err := f.confirm(ctx, caller, q.current, audit.ToDelete, q.origin)
	if err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, f.remove(ctx, by, who, eventBy(by, audit.Deleted, who, q.origin, f.Now()))
}
