// Package mfa is the function behind /api/auth/2fa: users set up a second factor,
// and complete logins with its codes. Begin with [Function.Routes].
package mfa

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/validation"
)

// A Function manages second factors.
type Function struct {
	Auth       *endpoint.Authenticator
	DB         *store.DB
	Codes      *codes.Checker
	Challenges *mfa.ChallengeCodec
	Confirmer  *password.Confirmer
	Tokens     *token.Issuer
	Outbox     *mail.Outbox
	Now        func() time.Time
}

// Routes returns the routes of the function. They are what administrators without a
// second factor can reach if they must have one.
func (f *Function) Routes() endpoint.Routes {
	const ok = http.StatusOK
	auth := f.Auth.ForSetup()
	return endpoint.Routes{
		{Pattern: "POST /api/auth/2fa/verify-login", Handler: endpoint.JSON(ok, f.verifyLogin, validation.Check), Limit: ratelimit.Password},
		{Pattern: "GET /api/auth/2fa/status", Handler: endpoint.Authenticated(auth, ok, f.status)},
		{Pattern: "POST /api/auth/2fa/setup", Handler: endpoint.Authenticated(auth, ok, f.setup, validation.Check), Limit: ratelimit.Password, Busy: f.Confirmer.Busy},
		{Pattern: "POST /api/auth/2fa/verify", Handler: endpoint.Authenticated(auth, ok, f.verify, validation.Check), Limit: ratelimit.Password},
		{Pattern: "POST /api/auth/2fa/disable", Handler: endpoint.Authenticated(auth, ok, f.disable, validation.Check), Limit: ratelimit.Password, Busy: f.Confirmer.Busy},
		{Pattern: "POST /api/auth/2fa/backup-codes", Handler: endpoint.Authenticated(auth, ok, f.replaceBackupCodes, validation.Check), Limit: ratelimit.Password},
	}
}

type message struct {
	Message string `json:"message"`
}

type status struct {
	Enabled    bool       `json:"enabled"`
	VerifiedAt *time.Time `json:"verified_at"` // since when it is enabled; null if it is not
	Remaining  int        `json:"backup_codes_remaining"`
}

func (f *Function) status(ctx context.Context, caller endpoint.Caller, _ endpoint.None) (status, error) {
	if !caller.Account.SecondFactor() {
		return status{}, nil
	}
	n, err := f.DB.CountBackupCodes(ctx, caller.Account.ID)
	return status{Enabled: true, VerifiedAt: caller.Account.SecondFactorAt, Remaining: n}, err
}

// A withCode request contains a code of the second factor.
type withCode struct {
	Code secret.String `json:"code" validate:"required"`
}

// refusal returns the audit event for a wrong code.
func (f *Function) refusal(caller endpoint.Caller, purpose string, now time.Time) audit.Event {
	event := caller.Event(audit.CodeRefused, caller.Account.ID, now)
	event.Detail = purpose
	return event
}

// verify enables the factor that the caller has set up, with a code that proves that
// the app has its secret.
func (f *Function) verify(ctx context.Context, caller endpoint.Caller, q withCode) (message, error) {
	now := f.Now()
	code := mfa.ParseCode(q.Code)
	if code.Backup() {
		code = mfa.Code{} // proves nothing about the app
	}
	refused := f.refusal(caller, audit.ToEnableSecondFactor, now)
	err := f.Codes.Attempt(ctx, mfa.ErrBadCode, refused, func(tx *store.Tx) error {
		by, err := tx.Authorize(ctx, caller.Proof(), now)
		if err != nil {
			return err
		}
		factor, err := tx.SecondFactor(ctx, caller.Account.ID)
		switch {
		case err != nil:
			return err
		case factor.Enabled():
			return mfa.ErrAlreadyEnabled
		}
		if err := f.Codes.Take(ctx, tx, factor, code, refused); err != nil {
			return err
		}
		if err := tx.EnableSecondFactor(ctx, by, factor, now); err != nil {
			return err
		}
		return f.record(ctx, tx, by.Account, mail.SecondFactorEnabled, caller.Event(audit.SecondFactorEnabled, caller.Account.ID, now))
	})
	f.Outbox.Wake()
	return message{"The second factor is enabled."}, err
}

// record stores event and tells the user of it.
func (f *Function) record(ctx context.Context, tx *store.Tx, a account.Account, notice mail.Kind, event audit.Event) error {
	if err := f.Outbox.Notice(ctx, tx, notice, a, event); err != nil {
		return err
	}
	return tx.Audit(ctx, event)
}

type optionalSecret = endpoint.Optional[secret.String]

type disable struct {
	CurrentPassword optionalSecret `json:"current_password" validate:"required_without=Password,omitempty,filled"`
	Password        optionalSecret `json:"password" validate:"omitempty,same_as=CurrentPassword,filled"`
	Code            secret.String  `json:"code" validate:"required"`
}

func (f *Function) disable(ctx context.Context, caller endpoint.Caller, q disable) (message, error) {
	if !caller.Account.SecondFactor() {
		return message{}, mfa.ErrNotEnabled
	}
	sent := password.Credentials{Password: either(q.CurrentPassword, q.Password), Code: q.Code}
	by, err := f.Confirmer.ConfirmAll(ctx, caller.Proof(), caller.Origin, sent, audit.ToDisableSecondFactor)
	if err != nil {
		return message{}, err
	}
	now := f.Now()
	err = f.DB.UpdateAs(ctx, by, now, func(tx *store.Tx, by store.Actor) error {
		enabled, err := tx.RemoveSecondFactor(ctx, by, caller.Account.ID)
		switch {
		case err != nil:
			return err
		case !enabled:
			return mfa.ErrNotEnabled
		}
		return f.record(ctx, tx, by.Account, mail.SecondFactorDisabled, caller.Event(audit.SecondFactorDisabled, caller.Account.ID, now))
	})
	f.Outbox.Wake()
	return message{"The second factor is disabled."}, err
}

type backupCodes struct {
	BackupCodes []string `json:"backup_codes"`
	Message     string   `json:"message"`
}

func (f *Function) replaceBackupCodes(ctx context.Context, caller endpoint.Caller, q withCode) (backupCodes, error) {
	now := f.Now()
	var fresh []string
	refused := f.refusal(caller, audit.ToReplaceBackupCodes, now)
	err := f.Codes.Attempt(ctx, mfa.ErrBadCode, refused, func(tx *store.Tx) error {
		by, err := tx.Authorize(ctx, caller.Proof(), now)
		if err != nil {
			return err
		}
		factor, err := tx.SecondFactor(ctx, caller.Account.ID)
		if err == nil && !factor.Enabled() {
			err = mfa.ErrNotEnabled
		}
		if err != nil {
			return err
		}
		if err := f.Codes.Take(ctx, tx, factor, mfa.ParseCode(q.Code), refused); err != nil {
			return err
		}
		key, err := f.Codes.Box().Open(factor.Sealed, string(factor.User))
		if err != nil {
			return err
		}
		shown, hashes := mfa.NewBackupCodes(key)
		if err := tx.ReplaceBackupCodes(ctx, factor.User, hashes); err != nil {
			return err
		}
		fresh = shown
		return f.record(ctx, tx, by.Account, mail.BackupCodesReplaced, caller.Event(audit.BackupCodesReplaced, factor.User, now))
	})
	if err != nil {
		return backupCodes{}, err
	}
	f.Outbox.Wake()
	return backupCodes{fresh, "The earlier backup codes are void."}, nil
}
