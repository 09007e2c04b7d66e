package users

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/lifecycle"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/revocation"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

// me returns the caller's account, which authentication has already read.
func (*Function) me(_ context.Context, caller endpoint.Caller, _ endpoint.None) (account.Profile, error) {
	return caller.Account.Profile(), nil
}

// A changeMe request changes the members that are present. null resets the name
// or the preferences.
type changeMe struct {
	FullName        endpoint.Optional[string]          `json:"full_name" validate:"omitempty,name"`
	Email           endpoint.Optional[string]          `json:"email" validate:"omitempty,email"`
	CurrentPassword secret.String                      `json:"current_password" validate:"required_with=Email"`
	Code            secret.String                      `json:"code"` // of the second factor, for a new address
	Preferences     endpoint.Optional[json.RawMessage] `json:"preferences" validate:"preferences"`
}

// changes returns the requested changes.
func (q *changeMe) changes() (c store.Changes, err error) {
	if c.FullName, err = endpoint.ParseOptional(q.FullName, account.ParseName); err != nil {
		return c, err
	}
	if c.Email, err = endpoint.ParseOptional(q.Email, account.ParseEmail); err != nil {
		return c, err
	}
	c.LegacyEmail = account.LegacyEmail(q.Email.Value)
	c.Preferences, err = endpoint.ParseOptional(q.Preferences, account.ParsePreferences)
	return c, err
}

func (f *Function) changeMe(ctx context.Context, caller endpoint.Caller, q changeMe) (account.Profile, error) {
	changed, err := q.changes()
	if err != nil {
		return account.Profile{}, err
	}
	by := caller.Proof()
	if changed.Email != nil {
		if by, err = f.Confirmer.ConfirmAll(ctx, by, caller.Origin, password.Credentials{Password: q.CurrentPassword, Code: q.Code}, audit.ToChangeEmail); err != nil {
			return account.Profile{}, err
		}
	}
	return f.apply(ctx, caller, by, caller.Account.ID, lifecycle.Changes{Changes: changed})
}

type optionalSecret = endpoint.Optional[secret.String]

// A changePassword request contains both passwords, under the names that
// different clients use; the last two are those of the VoiceAssist web app.
// Whether the new password is acceptable depends on the account.
type changePassword struct {
	CurrentPassword optionalSecret `json:"current_password" validate:"required_without_all=OldPassword WebCurrent,omitempty,filled"`
	OldPassword     optionalSecret `json:"old_password" validate:"omitempty,same_as=CurrentPassword,filled"`
	WebCurrent      optionalSecret `json:"currentPassword" validate:"omitempty,same_as=CurrentPassword OldPassword,filled"`
	NewPassword     optionalSecret `json:"new_password" validate:"required_without=WebNew,omitempty,filled"`
	WebNew          optionalSecret `json:"newPassword" validate:"omitempty,same_as=NewPassword,filled"`

	KeepAppPasswords bool `json:"keep_app_passwords"`
	KeepAPIKeys      bool `json:"keep_api_keys"`
}

// newPassword returns the name under which the new password was sent.
func (q *changePassword) newPassword() string {
	if q.NewPassword.Set {
		return "new_password"
	}
	return "newPassword"
}

// fresh parses the new password of the account with that address.
func (q *changePassword) fresh(email account.Email) (password.Password, error) {
	plain := cmp.Or(q.NewPassword.Value, q.WebNew.Value)
	var wrong fault.Fields
	p := fault.ParseField(&wrong, q.newPassword(), plain, func(plain secret.String) (password.Password, error) {
		return password.Parse(plain.Reveal(), email)
	})
	return p, wrong.Err()
}

type message struct {
	Message string `json:"message"`
}

// changePassword sets a new password, ends all other logins and, unless q keeps
// them, revokes the app passwords and the API keys. Exactly one of several concurrent changes
// succeeds; the others get [account.ErrIncorrectPassword].
func (f *Function) changePassword(ctx context.Context, caller endpoint.Caller, q changePassword) (message, error) {
	who := caller.Account
	fresh, err := q.fresh(who.Email)
	if err != nil {
		return message{}, err
	}
	current := cmp.Or(q.CurrentPassword.Value, q.OldPassword.Value, q.WebCurrent.Value)
	by, err := f.Confirmer.Confirm(ctx, caller.Proof(), caller.Origin, current, audit.ToChangePassword)
	if err != nil {
		return message{}, err
	}
	hash, err := f.Passwords.Hash(ctx, fresh)
	if err != nil {
		return message{}, password.InField(q.newPassword(), err)
	}
	now := f.Now()
	event := caller.Event(audit.PasswordChanged, who.ID, now)
	err = f.DB.UpdateAs(ctx, by, now, func(tx *store.Tx, by store.Actor) error {
		if err := tx.ChangePassword(ctx, by, hash); err != nil {
			return err
		}
		keep := revocation.Keep{Login: caller.Login, AppPasswords: q.KeepAppPasswords, APIKeys: q.KeepAPIKeys}
		if _, err := f.revoker().EndAll(ctx, tx, by, event, keep); err != nil {
			return err
		}
		if err := f.Desired.PasswordChanged(ctx, tx, by.Account, fresh.Reveal(), now); err != nil {
			return err
		}
		if err := f.Outbox.Notice(ctx, tx, mail.PasswordChanged, by.Account, event); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return message{}, err
	}
	f.Desired.Wake()
	f.Outbox.Wake()
	return message{Message: "Password updated successfully"}, nil
}

type deleteMe struct {
	CurrentPassword optionalSecret `json:"current_password" validate:"required_without=Password,omitempty,filled"`
	Password        optionalSecret `json:"password" validate:"omitempty,same_as=CurrentPassword,filled"`
	Code            secret.String  `json:"code"`
}

func (f *Function) deleteMe(ctx context.Context, caller endpoint.Caller, q deleteMe) (endpoint.None, error) {
	sent := password.Credentials{Password: cmp.Or(q.CurrentPassword.Value, q.Password.Value), Code: q.Code}
	by, err := f.Confirmer.ConfirmAll(ctx, caller.Proof(), caller.Origin, sent, audit.ToDelete)
	if err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, f.remove(ctx, by, caller.Event(audit.Deleted, caller.Account.ID, f.Now()))
}
