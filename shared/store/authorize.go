package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// liveLogin is the condition for a live login of an enabled account. Its
// parameters are the login, the user, the time, and [Statements.loginsSince].
var liveLogin = `logins.id = $1 AND users.id = $2 AND ` + defense.SQL(defense.LiveLogin, `logins.revoked_at IS NULL
			AND logins.expires_at > $3 AND logins.created_at > $4 AND users.disabled_at IS NULL`)

// signedIn has the parameters of [liveLogin]. It is concatenated once, since every
// request runs it.
var signedIn = `
	SELECT ` + accountColumns + `
	FROM logins JOIN users ON users.id = logins.user_id
	WHERE ` + liveLogin

// liveKey is [liveLogin] for an API key. Its table takes the place of logins in the
// statement, and its parameters those of the login; the last is the zero time.
var liveKey = `logins.id = $1 AND users.id = $2 AND ` + defense.SQL(defense.LiveLogin, `(logins.expires_at IS NULL OR logins.expires_at > $3)
			AND logins.created_at > $4 AND users.disabled_at IS NULL`)

// live returns the table of what by rests on, under the name logins, and the
// condition that it is live. [Statements.liveArgs] returns the parameters.
func live(by signin.Proof) (table, condition string) {
	if by.Key() != "" {
		return `api_keys AS logins`, liveKey
	}
	return `logins`, liveLogin
}

// endedError returns the error of a caller whose login or API key is not live.
func endedError(by signin.Proof) error {
	if by.Key() != "" {
		return apikey.ErrInvalid
	}
	return signin.ErrRevoked
}

// Holds returns the enabled account of a caller whose login or API key is live,
// [signin.ErrRevoked] or [apikey.ErrInvalid].
func (s *Statements) Holds(ctx context.Context, by signin.Proof, now time.Time) (account.Account, error) {
	var a account.Account
	table, condition := live(by)
	err := s.queryRow(ctx, endedError(by), accountDest(&a), `
		SELECT `+accountColumns+` FROM `+table+` JOIN users ON users.id = logins.user_id
		WHERE `+condition, s.liveArgs(by, now)...)
	if err != nil {
		return account.Account{}, fmt.Errorf("account of the caller: %w", err)
	}
	return a, nil
}

// SignedIn returns the enabled account with this live login, or
// [signin.ErrRevoked]. Every authenticated request makes this one statement, so
// the end of a login takes effect at the next request.
func (s *Statements) SignedIn(
	ctx context.Context, id account.ID, login signin.ID, now time.Time,
) (account.Account, error) {
	var a account.Account
	err := s.lookUp(ctx, signin.ErrRevoked, accountDest(&a), signedIn, string(login), string(id), at(now), s.loginsSince(now))
	if err != nil {
		return account.Account{}, fmt.Errorf("account signed in: %w", err)
	}
	return a, nil
}

// whileLive returns the condition for a single statement that writes for a
// caller. Its first four parameters are those of [liveLogin]. On PostgreSQL it
// locks the rows until the statement is committed, so that no request that ends
// the login or disables the account is answered in between.
func (s *Statements) whileLive(by signin.Proof) string {
	table, condition := live(by)
	return `EXISTS (SELECT 1 FROM users JOIN ` + table + ` ON logins.user_id = users.id WHERE ` + condition + s.dialect.ForShare + `)`
}

// liveArgs returns the parameters of the condition of [live] followed by args.
func (s *Statements) liveArgs(by signin.Proof, now time.Time, args ...any) []any {
	id, since := string(by.Login()), s.loginsSince(now)
	if by.Key() != "" {
		id, since = string(by.Key()), time.Time{}
	}
	return append([]any{id, string(by.User()), at(now), since}, args...)
}

// loginsSince returns the time at or before which a login must have begun to be
// too old at now, see [DB.SetLoginLifetime].
func (s *Statements) loginsSince(now time.Time) time.Time {
	if s.logins.Absolute == 0 {
		return time.Time{}
	}
	return at(now.Add(-s.logins.Absolute))
}

// whyUnmatched returns why a statement with [Statements.whileLive] matched no
// row: the error of [Statements.Holds], or else missing.
func (s *Statements) whyUnmatched(ctx context.Context, by signin.Proof, now time.Time, missing error) error {
	if _, err := s.Holds(ctx, by, now); err != nil {
		return err
	}
	return missing
}

// An Actor is the caller for whom a transaction acts. The transaction has
// checked the [signin.Proof] of the caller, which holds until the transaction
// ends. [Tx.Authorize] returns an Actor, [Tx.RedeemLinkToken] one for a user without a
// login, and [Tx.Operator] one for the operator. Statements that write for somebody require one.
type Actor struct {
	Account account.Account // as read by the transaction; empty for the operator

	proof    signin.Proof
	operator bool
	mailbox  bool // who reads the mail of the account, which is as good as the password
	tx       *Tx
}

// UpdateAs is [DB.Update] for a caller. If part of the proof no longer holds,
// it returns [signin.ErrRevoked], [signin.ErrAdminRequired],
// [signin.ErrSecondFactorRequired] or [account.ErrIncorrectPassword] without running fn. On PostgreSQL it locks the
// rows of the account and the login: a request that changes or ends them is
// answered before the transaction begins or after it ends.
func (db *DB) UpdateAs(
	ctx context.Context, by signin.Proof, now time.Time, fn func(tx *Tx, by Actor) error,
) error {
	return db.Update(ctx, func(tx *Tx) error {
		c, err := tx.Authorize(ctx, by, now)
		if err != nil {
			return err
		}
		return fn(tx, c)
	})
}

// Authorize checks the proof of a caller as [DB.UpdateAs] does, for a
// transaction that finds out later for whom it acts.
func (tx *Tx) Authorize(ctx context.Context, by signin.Proof, now time.Time) (Actor, error) {
	if by.User() == "" {
		return Actor{}, signin.ErrRevoked // PostgreSQL accepts no empty id
	}
	c := Actor{proof: by, tx: tx}
	var hash string
	table, condition := live(by)
	err := tx.queryRow(ctx, endedError(by), append(accountDest(&c.Account), &hash), `
		SELECT `+accountColumns+`, users.password_hash
		FROM `+table+` JOIN users ON users.id = logins.user_id
		WHERE `+condition+tx.dialect.ForUpdate, tx.liveArgs(by, now)...)
	switch {
	case err != nil:
		return Actor{}, fmt.Errorf("confirm: %w", err)
	case by.Admin() && !c.Account.Admin() && defense.AdministratorsOnly:
		return Actor{}, signin.ErrAdminRequired
	case by.NeedsSecondFactor() && !c.Account.SecondFactor() && defense.SecondFactor:
		return Actor{}, signin.ErrSecondFactorRequired
	case defense.ConfirmedPassword && by.PasswordHash() != "" && by.PasswordHash().Reveal() != hash:
		return Actor{}, account.ErrIncorrectPassword.Because(errors.New("it was changed meanwhile"))
	}
	return c, nil
}

// Operator returns an Actor for the operator, who has access to the machine.
// Only commands may call it.
func (tx *Tx) Operator() Actor { return Actor{operator: true, tx: tx} }

// errUnauthorized reports a bug: a function writes for a caller without the
// proof that the statement requires.
var errUnauthorized = errors.New("store: the caller was not confirmed for this")

// mayAdminister returns nil if c is an administrator or the operator.
func (c Actor) mayAdminister(tx *Tx) error {
	if c.tx != tx || !c.operator && (!c.proof.Admin() || c.proof.Key() != "") {
		return errUnauthorized
	}
	return nil
}

// mayChange returns nil if c may change the account: as its owner, an
// administrator or the operator.
func (c Actor) mayChange(tx *Tx, id account.ID) error {
	if c.owns(tx, id) {
		return nil
	}
	return c.mayAdminister(tx)
}

// owns reports whether c acts for the owner of the account, and not through an API key.
func (c Actor) owns(tx *Tx, id account.ID) bool {
	return c.tx == tx && c.proof.User() == id && id != "" && c.proof.Key() == ""
}

// knowsPassword returns nil if c is the owner of the account, with the password or
// with a token from a mail, an administrator or the operator.
func (c Actor) knowsPassword(tx *Tx, id account.ID) error {
	if c.owns(tx, id) && (c.proof.PasswordHash() != "" || c.mailbox) {
		return nil
	}
	return c.mayAdminister(tx)
}

// mayTakeOver returns nil if c may make changes for which neither a stolen token
// nor a stolen password must suffice: as the owner with a token from a mail, or with
// the password and, if the account has a second factor, a code of it; as an
// administrator or the operator.
// Otherwise it may return [mfa.ErrCodeRequired].
func (c Actor) mayTakeOver(tx *Tx, id account.ID) error {
	if err := c.knowsPassword(tx, id); err != nil {
		return err
	}
	return c.sentCode(id)
}

// mayAddCredential returns nil if c is the owner of the account and has proved the
// password, in this request or a moment ago, and, if the account has a second
// factor, a code of it. Otherwise it may return [mfa.ErrCodeRequired].
func (c Actor) mayAddCredential(tx *Tx, id account.ID) error {
	if !c.owns(tx, id) || !c.proof.Reauthenticated() {
		return errUnauthorized
	}
	return c.sentCode(id)
}

// sentCode returns [mfa.ErrCodeRequired] if c is the owner of the account, which has
// a second factor, and sent no code of it. The factor may be younger than the check
// of the password.
func (c Actor) sentCode(id account.ID) error {
	if defense.SecondFactor && !c.mailbox && c.proof.User() == id && c.Account.SecondFactor() && !c.proof.Code() {
		return mfa.ErrCodeRequired
	}
	return nil
}
