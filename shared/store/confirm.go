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

// proved is the condition that a live login of an enabled account meets. Its
// parameters are the login, the user, the time, and [Statements.oldest].
var proved = `logins.id = $1 AND users.id = $2 AND ` + defense.SQL(defense.LiveLogin, `logins.revoked_at IS NULL
			AND logins.expires_at > $3 AND logins.created_at > $4 AND users.disabled_at IS NULL`)

// SignedIn returns the enabled account whose live login this is, or
// [signin.ErrRevoked]. It is the one statement that every authenticated
// request makes, so whatever ends a login takes effect at the next request.
func (s *Statements) SignedIn(
	ctx context.Context, id account.ID, login signin.ID, now time.Time,
) (account.Account, error) {
	var a account.Account
	err := s.one(ctx, signin.ErrRevoked, accountDest(&a), `
		SELECT `+accountColumns+`
		FROM logins JOIN users ON users.id = logins.user_id
		WHERE `+proved, string(login), string(id), at(now), s.oldest(now))
	if err != nil {
		return account.Account{}, fmt.Errorf("account signed in: %w", err)
	}
	return a, nil
}

// whileProved is the condition of a single statement that writes for a caller:
// its first four parameters are those of [proved]. On PostgreSQL it locks
// what it relies on until the statement is committed, so that nothing that ends
// the login or disables the account is answered in between.
func (s *Statements) whileProved() string {
	return `EXISTS (SELECT 1 FROM users JOIN logins ON logins.user_id = users.id WHERE ` + proved + s.dialect.Share + `)`
}

// proofArgs returns the parameters of [proved], and those that follow.
func (s *Statements) proofArgs(by signin.Proof, now time.Time, args ...any) []any {
	return append([]any{string(by.Login()), string(by.User()), at(now), s.oldest(now)}, args...)
}

// oldest returns the time at and before which a login began that is too old at
// now, see [DB.LimitLogins].
func (s *Statements) oldest(now time.Time) time.Time {
	if s.logins.Total == 0 {
		return time.Time{}
	}
	return at(now.Add(-s.logins.Total))
}

// unmatched tells why a statement with [Statements.whileProved] matched no row:
// [signin.ErrRevoked], or what it returns as missing.
func (s *Statements) unmatched(ctx context.Context, by signin.Proof, now time.Time, missing error) error {
	if _, err := s.SignedIn(ctx, by.User(), by.Login(), now); err != nil {
		return err
	}
	return missing
}

// A Confirmed is a caller of whom a transaction found that all of their
// [signin.Proof] still holds, and of whom it will hold until the transaction
// ends. Only [Tx.Confirm] makes one, and [Tx.AtConsole] one for the operator.
// The statements that write for somebody demand it.
type Confirmed struct {
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
	ctx context.Context, by signin.Proof, now time.Time, fn func(tx *Tx, by Confirmed) error,
) error {
	return db.Update(ctx, func(tx *Tx) error {
		c, err := tx.Confirm(ctx, by, now)
		if err != nil {
			return err
		}
		return fn(tx, c)
	})
}

// Confirm is what [DB.UpdateAs] begins with, for a transaction that learns within
// whom it acts for.
func (tx *Tx) Confirm(ctx context.Context, by signin.Proof, now time.Time) (Confirmed, error) {
	if by.User() == "" {
		return Confirmed{}, signin.ErrRevoked // nobody is no id to ask for
	}
	c := Confirmed{proof: by, tx: tx}
	var hash string
	err := tx.one(ctx, signin.ErrRevoked, append(accountDest(&c.Account), &hash), `
		SELECT `+accountColumns+`, users.password_hash
		FROM logins JOIN users ON users.id = logins.user_id
		WHERE `+proved+tx.dialect.Hold, tx.proofArgs(by, now)...)
	switch {
	case err != nil:
		return Confirmed{}, fmt.Errorf("confirm: %w", err)
	case by.Admin() && !c.Account.Admin() && defense.AdministratorsOnly:
		return Confirmed{}, signin.ErrAdminRequired
	case defense.ConfirmedPassword && by.PasswordHash() != "" && by.PasswordHash().Reveal() != hash:
		return Confirmed{}, account.ErrIncorrectPassword.Because(errors.New("it was changed meanwhile"))
	}
	return c, nil
}

// AtConsole returns the operator, whom the machine has asked. Only commands may
// call it.
func (tx *Tx) AtConsole() Confirmed { return Confirmed{operator: true, tx: tx} }

// errUnconfirmed is a mistake of ours: a function writes for a caller what they
// did not prove that they may.
var errUnconfirmed = errors.New("store: the caller was not confirmed for this")

// mayAdminister returns nil where c is an administrator or the operator.
func (c Confirmed) mayAdminister(tx *Tx) error {
	if c.tx != tx || !c.operator && !c.proof.Admin() {
		return errUnconfirmed
	}
	return nil
}

// mayChange returns nil where c may change the account: as its owner, as an
// administrator or as the operator.
func (c Confirmed) mayChange(tx *Tx, id account.ID) error {
	if c.tx == tx && c.proof.User() == id && id != "" {
		return nil
	}
	return c.mayAdminister(tx)
}

// mayTakeOver returns nil where c may do to the account what a stolen token must
// not be enough for: as its owner with the password, or as an administrator.
func (c Confirmed) mayTakeOver(tx *Tx, id account.ID) error {
	if c.tx == tx && c.proof.User() == id && c.proof.PasswordHash() != "" {
		return nil
	}
	return c.mayAdminister(tx)
}
