package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// liveLogin is the condition that a live login of an enabled account meets. Its
// parameters are the login, the user, the time, and [Statements.loginsSince].
var liveLogin = `logins.id = $1 AND users.id = $2 AND ` + defense.SQL(defense.LiveLogin, `logins.revoked_at IS NULL
			AND logins.expires_at > $3 AND logins.created_at > $4 AND users.disabled_at IS NULL`)

// SignedIn returns the enabled account whose live login this is, or
// [signin.ErrRevoked]. It is the one statement that every authenticated
// request makes, so whatever ends a login takes effect at the next request.
func (s *Statements) SignedIn(
	ctx context.Context, id account.ID, login signin.ID, now time.Time,
) (account.Account, error) {
	var a account.Account
	err := s.queryRow(ctx, signin.ErrRevoked, accountDest(&a), `
		SELECT `+accountColumns+`
		FROM logins JOIN users ON users.id = logins.user_id
		WHERE `+liveLogin, string(login), string(id), at(now), s.loginsSince(now))
	if err != nil {
		return account.Account{}, fmt.Errorf("account signed in: %w", err)
	}
	return a, nil
}

// whileLive is the condition of a single statement that writes for a caller:
// its first four parameters are those of [liveLogin]. On PostgreSQL it locks
// what it relies on until the statement is committed, so that nothing that ends
// the login or disables the account is answered in between.
func (s *Statements) whileLive() string {
	return `EXISTS (SELECT 1 FROM users JOIN logins ON logins.user_id = users.id WHERE ` + liveLogin + s.dialect.ForShare + `)`
}

// liveLoginArgs returns the parameters of [liveLogin], and those that follow.
func (s *Statements) liveLoginArgs(by signin.Proof, now time.Time, args ...any) []any {
	return append([]any{string(by.Login()), string(by.User()), at(now), s.loginsSince(now)}, args...)
}

// loginsSince returns the time at and before which a login began that is too old at
// now, see [DB.SetLoginLifetime].
func (s *Statements) loginsSince(now time.Time) time.Time {
	if s.logins.Absolute == 0 {
		return time.Time{}
	}
	return at(now.Add(-s.logins.Absolute))
}

// whyUnmatched tells why a statement with [Statements.whileLive] matched no row:
// [signin.ErrRevoked], or what it returns as missing.
func (s *Statements) whyUnmatched(ctx context.Context, by signin.Proof, now time.Time, missing error) error {
	if _, err := s.SignedIn(ctx, by.User(), by.Login(), now); err != nil {
		return err
	}
	return missing
}

// A Actor is a caller of whom a transaction found that all of their
// [signin.Proof] still holds, and of whom it will hold until the transaction
// ends. Only [Tx.Authorize] makes one, and [Tx.Operator] one for the operator.
// The statements that write for somebody demand it.
type Actor struct {
	Account account.Account // as the transaction read it; empty for the operator

	proof    signin.Proof
	operator bool
	tx       *Tx
}

// UpdateAs is [DB.Update] for a caller. It returns [signin.ErrRevoked],
// [signin.ErrAdminRequired] or [account.ErrIncorrectPassword] when something of
// the proof does not hold any more, and fn does not run then. On PostgreSQL the
// rows of the account and the login are locked: whatever ends or changes them is
// answered before the transaction began or after it ended.
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

// Authorize is what [DB.UpdateAs] begins with, for a transaction that learns within
// whom it acts for.
func (tx *Tx) Authorize(ctx context.Context, by signin.Proof, now time.Time) (Actor, error) {
	if by.User() == "" {
		return Actor{}, signin.ErrRevoked // nobody is no id to ask for
	}
	c := Actor{proof: by, tx: tx}
	var hash string
	err := tx.queryRow(ctx, signin.ErrRevoked, append(accountDest(&c.Account), &hash), `
		SELECT `+accountColumns+`, users.password_hash
		FROM logins JOIN users ON users.id = logins.user_id
		WHERE `+liveLogin+tx.dialect.ForUpdate, tx.liveLoginArgs(by, now)...)
	switch {
	case err != nil:
		return Actor{}, fmt.Errorf("confirm: %w", err)
	case by.Admin() && !c.Account.Admin() && defense.AdministratorsOnly:
		return Actor{}, signin.ErrAdminRequired
	case defense.ConfirmedPassword && by.PasswordHash() != "" && by.PasswordHash().Reveal() != hash:
		return Actor{}, account.ErrIncorrectPassword.Because(errors.New("it was changed meanwhile"))
	}
	return c, nil
}

// Operator returns the operator, whom the machine has asked. Only commands may
// call it.
func (tx *Tx) Operator() Actor { return Actor{operator: true, tx: tx} }

// errUnauthorized is a mistake of ours: a function writes for a caller what they
// did not prove that they may.
var errUnauthorized = errors.New("store: the caller was not confirmed for this")

// mayAdminister returns nil where c is an administrator or the operator.
func (c Actor) mayAdminister(tx *Tx) error {
	if c.tx != tx || !c.operator && !c.proof.Admin() {
		return errUnauthorized
	}
	return nil
}

// mayChange returns nil where c may change the account: as its owner, as an
// administrator or as the operator.
func (c Actor) mayChange(tx *Tx, id account.ID) error {
	if c.tx == tx && c.proof.User() == id && id != "" {
		return nil
	}
	return c.mayAdminister(tx)
}

// mayTakeOver returns nil where c may do to the account what a stolen token must
// not be enough for: as its owner with the password, or as an administrator.
func (c Actor) mayTakeOver(tx *Tx, id account.ID) error {
	if c.tx == tx && c.proof.User() == id && c.proof.PasswordHash() != "" {
		return nil
	}
	return c.mayAdminister(tx)
}
