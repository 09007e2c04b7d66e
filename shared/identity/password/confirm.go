package password

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// A Confirmer checks that a caller knows the current password of their account and,
// where the account has a second factor, a code of it. It is for requests that must
// not succeed with a stolen access token alone. It is safe for concurrent use.
type Confirmer struct {
	Accounts Accounts
	Codes    Codes
	Hasher   *Hasher
	Limits   *ratelimit.Limiter
	Now      func() time.Time
}

// Accounts are what a [Confirmer] needs of the store.
type Accounts interface {
	AccountAndHash(ctx context.Context, id account.ID) (account.Account, secret.String, error)
	LoginBegan(ctx context.Context, id signin.ID) (time.Time, error)
	Audit(ctx context.Context, e audit.Event) error
}

// Codes check codes of second factors.
type Codes interface {
	// Confirm returns by with the proof that the code is right, and uses the code up.
	// The error for a wrong one is [mfa.ErrBadCode].
	Confirm(ctx context.Context, by signin.Proof, from audit.Origin, code secret.String, purpose string) (signin.Proof, error)
}

// Credentials are what a request sends to confirm who sends it.
type Credentials struct {
	Password secret.String
	Code     secret.String // "" without a second factor
}

// Busy is [Hasher.Busy] of the hasher that checks passwords.
func (c *Confirmer) Busy() error { return c.Hasher.Busy() }

// Confirm returns by with the proof that plain is the current password, or
// [account.ErrIncorrectPassword]. The attempts for one account are limited, and a
// wrong password is audited with its purpose, such as [audit.ToDelete].
func (c *Confirmer) Confirm(
	ctx context.Context, by signin.Proof, from audit.Origin, plain secret.String, purpose string,
) (signin.Proof, error) {
	by, _, err := c.checkPassword(ctx, by, from, plain, purpose)
	return by, err
}

// ConfirmAll is [Confirmer.Confirm] that also demands a code if the account has a
// second factor. Without one it returns [mfa.ErrCodeRequired].
func (c *Confirmer) ConfirmAll(
	ctx context.Context, by signin.Proof, from audit.Origin, sent Credentials, purpose string,
) (signin.Proof, error) {
	by, who, err := c.checkPassword(ctx, by, from, sent.Password, purpose)
	if err != nil {
		return signin.Proof{}, err
	}
	return c.checkCode(ctx, by, from, who, sent.Code, purpose)
}

// Reauthenticate is [Confirmer.ConfirmAll] for requests that need no password for
// [signin.ReauthenticationWindow] after the login, which proved it. After that it
// returns [signin.ErrReauthenticationRequired] if none was sent. A password that was
// sent must be right.
func (c *Confirmer) Reauthenticate(
	ctx context.Context, by signin.Proof, from audit.Origin, sent Credentials, purpose string,
) (signin.Proof, error) {
	if sent.Password != "" {
		return c.ConfirmAll(ctx, by, from, sent, purpose)
	}
	began, err := c.Accounts.LoginBegan(ctx, by.Login())
	switch {
	case err != nil:
		return signin.Proof{}, err
	case c.Now().Sub(began) > signin.ReauthenticationWindow:
		return signin.Proof{}, signin.ErrReauthenticationRequired
	}
	who, _, err := c.Accounts.AccountAndHash(ctx, by.User())
	if err != nil {
		return signin.Proof{}, err
	}
	return c.checkCode(ctx, by.AsFresh(), from, who, sent.Code, purpose)
}

// checkCode returns by with the proof that code is right, if who has a second factor.
func (c *Confirmer) checkCode(
	ctx context.Context, by signin.Proof, from audit.Origin, who account.Account, code secret.String, purpose string,
) (signin.Proof, error) {
	switch {
	case !who.SecondFactor() || !defense.SecondFactor:
		return by, nil
	case code == "":
		return signin.Proof{}, mfa.ErrCodeRequired
	}
	return c.Codes.Confirm(ctx, by, from, code, purpose)
}

// checkPassword returns by with the proof that plain is the current password, and
// the account.
func (c *Confirmer) checkPassword(
	ctx context.Context, by signin.Proof, from audit.Origin, plain secret.String, purpose string,
) (signin.Proof, account.Account, error) {
	if err := c.Limits.Account(ctx, ratelimit.Password, string(by.User())); err != nil && defense.PasswordLimit {
		return signin.Proof{}, account.Account{}, err
	}
	who, hash, err := c.Accounts.AccountAndHash(ctx, by.User())
	if err != nil {
		return signin.Proof{}, account.Account{}, err
	}
	err = c.Hasher.Verify(ctx, hash, plain)
	switch {
	case errors.Is(err, ErrMismatch):
		refused := audit.New(audit.PasswordRefused, by.User(), from, c.Now())
		refused.Login, refused.Detail = by.Login(), purpose
		if err := c.Accounts.Audit(ctx, refused); err != nil {
			return signin.Proof{}, account.Account{}, err
		}
		return signin.Proof{}, account.Account{}, account.ErrIncorrectPassword.Because(err)
	case err != nil:
		return signin.Proof{}, account.Account{}, err
	}
	defense.Pause(defense.PasswordVerified)
	return by.WithPassword(hash), who, nil
}
