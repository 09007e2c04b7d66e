package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

// PutLinkToken stores t if its user exists and is enabled, and returns the id of the
// token that is valid now, or "". There is one for each user, purpose and slot: an
// earlier token with the same state stays valid, so that requests by others do not
// invalidate what was mailed to the user. A token with another state is replaced.
func (tx *Tx) PutLinkToken(ctx context.Context, t linktoken.Token) (linktoken.ID, error) {
	var id linktoken.ID
	const same = `link_tokens.bound = excluded.bound AND link_tokens.expires_at > excluded.created_at`
	err := tx.queryRow(ctx, errNoMatch, []any{&id}, `
		INSERT INTO link_tokens (id, user_id, purpose, slot, bound, created_at, expires_at)
		SELECT $1, users.id, $3, $4, $5, $6, $7 FROM users WHERE users.id = $2 AND users.disabled_at IS NULL
		ON CONFLICT (user_id, purpose, slot) DO UPDATE SET
			id = CASE WHEN `+same+` THEN link_tokens.id ELSE excluded.id END,
			created_at = CASE WHEN `+same+` THEN link_tokens.created_at ELSE excluded.created_at END,
			bound = excluded.bound, expires_at = excluded.expires_at
		RETURNING id`,
		string(t.ID), idOrNobody(t.User), string(t.Purpose), t.Slot, t.Bound, at(t.CreatedAt), at(t.ExpiresAt))
	switch {
	case errors.Is(err, errNoMatch):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("put link token: %w", err)
	}
	return id, nil
}

// DeleteLinkToken deletes the token of the user with that purpose and slot, if there is
// one.
func (tx *Tx) DeleteLinkToken(ctx context.Context, user account.ID, p linktoken.Purpose, slot string) error {
	_, err := tx.exec(ctx, `DELETE FROM link_tokens WHERE user_id = $1 AND purpose = $2 AND slot = $3`,
		string(user), string(p), slot)
	if err != nil {
		return fmt.Errorf("delete link token: %w", err)
	}
	return nil
}

// idOrNobody returns the id, or one that no row has: PostgreSQL accepts no empty id.
func idOrNobody[S ~string](id S) string {
	if id == "" {
		return oldest
	}
	return string(id)
}

// LinkToken returns the token of that purpose and the account that it is for, without
// spending it, or [linktoken.ErrBad].
func (s *Statements) LinkToken(
	ctx context.Context, id linktoken.ID, p linktoken.Purpose, now time.Time,
) (linktoken.Token, account.Account, error) {
	t := linktoken.Token{ID: id, Purpose: p}
	var a account.Account
	var hash string
	err := s.queryRow(ctx, linktoken.ErrBad,
		append(accountDest(&a), &hash, &t.Slot, &t.Bound, timeScanner{&t.CreatedAt}, timeScanner{&t.ExpiresAt}), `
		SELECT `+accountColumns+`, users.password_hash, t.slot, t.bound, t.created_at, t.expires_at
		FROM link_tokens AS t JOIN users ON users.id = t.user_id
		WHERE t.id = $1 AND `+defense.SQL(defense.LinkTokenPurpose, `t.purpose = $2`)+
			` AND `+defense.SQL(defense.LinkTokenExpiry, `t.expires_at > $3`)+
			` AND `+defense.SQL(defense.AccountState, `users.disabled_at IS NULL`), string(id), string(p), at(now))
	if err != nil {
		return t, a, fmt.Errorf("link token: %w", err)
	}
	t.User = a.ID
	return t, a, checkLinkState(t, a, secret.String(hash))
}

// HasLinkToken reports whether the user has a token of that purpose and slot which has
// not expired.
func (s *Statements) HasLinkToken(ctx context.Context, user account.ID, p linktoken.Purpose, slot string, now time.Time) (bool, error) {
	var has bool
	err := s.queryRow(ctx, nil, []any{&has}, `
		SELECT EXISTS (SELECT 1 FROM link_tokens WHERE user_id = $1 AND purpose = $2 AND slot = $3 AND expires_at > $4)`,
		string(user), string(p), slot, at(now))
	if err != nil {
		return false, fmt.Errorf("has link token: %w", err)
	}
	return has, nil
}

// checkLinkState returns [linktoken.ErrBad] unless the account is in the state to which
// the token is bound.
func checkLinkState(t linktoken.Token, a account.Account, hash secret.String) error {
	var valid bool
	switch t.Purpose {
	case linktoken.Reset, linktoken.Invite:
		valid = t.Bound == linktoken.StateOf(hash, a.Email)
	case linktoken.Verify:
		valid = t.Bound == string(a.Email) || t.Bound == string(a.PendingEmail)
	case linktoken.Undo:
		valid = t.Bound == t.Slot
	case linktoken.Disown:
		valid = t.Bound == string(a.Email) // an address that the account no longer has is nobody's
	}
	if !valid && defense.LinkTokenState {
		return linktoken.ErrBad.Because(errors.New("the account has changed"))
	}
	return nil
}

// RedeemLinkToken spends the token of that purpose, and returns an Actor for its user:
// whoever has the token reads the user's mail. It returns [linktoken.ErrBad] if there is
// no such token, or if the account is disabled or no longer in the state to which the
// token is bound. Exactly one of several concurrent calls succeeds. The Actor may take
// the account over, unless the purpose is [linktoken.Verify].
func (tx *Tx) RedeemLinkToken(
	ctx context.Context, id linktoken.ID, p linktoken.Purpose, now time.Time,
) (Actor, linktoken.Token, error) {
	t, a, err := tx.LinkToken(ctx, id, p, now)
	if err != nil {
		return Actor{}, t, err
	}
	_, hash, err := tx.AccountAndHash(ctx, a.ID)
	if err != nil {
		return Actor{}, t, err
	}
	if defense.LinkTokenState {
		n, err := tx.exec(ctx, `DELETE FROM link_tokens WHERE id = $1`, string(id))
		if err != nil {
			return Actor{}, t, fmt.Errorf("spend link token: %w", err)
		}
		if n == 0 {
			return Actor{}, t, linktoken.ErrBad
		}
	}
	by := Actor{Account: a, proof: signin.NewProof(a.ID, ""), mailbox: p != linktoken.Verify, tx: tx}
	if by.mailbox {
		by.proof = by.proof.WithPassword(hash)
	}
	return by, t, nil
}

// never is after every time of a row. For [Tx.DeleteLinkTokens] it keeps all tokens that
// undo changes.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// DeleteLinkTokens deletes all tokens of the user that were created at or after the
// time, except those that undo earlier changes of address.
func (tx *Tx) DeleteLinkTokens(ctx context.Context, by Actor, since time.Time) error {
	if err := by.mayChange(tx, by.Account.ID); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `
		DELETE FROM link_tokens WHERE user_id = $1 AND (purpose <> $2 OR created_at >= $3)`,
		string(by.Account.ID), string(linktoken.Undo), at(since))
	if err != nil {
		return fmt.Errorf("delete link tokens: %w", err)
	}
	return nil
}

// DeleteExpiredLinkTokens deletes tokens that expired before the given time, unless a
// mail that waits to be sent needs them.
func (s *Statements) DeleteExpiredLinkTokens(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.deleteInBatches(ctx, `link_tokens`, `expires_at < $1
		AND NOT EXISTS (SELECT 1 FROM mails WHERE mails.token_id = link_tokens.id AND mails.due_at IS NOT NULL)`, at(before))
	if err != nil {
		return 0, fmt.Errorf("delete expired link tokens: %w", err)
	}
	return n, nil
}
