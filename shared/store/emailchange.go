package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
)

// checkEmailFree returns [account.ErrEmailTaken] if another account than id has the
// address. It can be taken later, so the statement that sets it checks again.
func (tx *Tx) checkEmailFree(ctx context.Context, id account.ID, e account.Email) error {
	holder, _, err := tx.AccountByEmail(ctx, e.Lookup())
	switch {
	case errors.Is(err, account.ErrNotFound) || err == nil && holder.ID == id:
		return nil
	case err != nil:
		return err
	}
	return account.ErrEmailTaken
}

// VerifyEmail records that the user of by reads mail at the address of the account, and
// returns the account.
func (tx *Tx) VerifyEmail(ctx context.Context, by Actor, now time.Time) (account.Account, error) {
	a := by.Account
	if err := by.mayChange(tx, a.ID); err != nil {
		return a, err
	}
	if a.EmailVerifiedAt != nil {
		return a, nil
	}
	verified := at(now)
	a.EmailVerifiedAt = &verified
	return tx.storeEmail(ctx, by.Account, a, now)
}

// ReclaimEmail is [Tx.VerifyEmail] for a user who could not log in. It also cancels a
// change of address that was not confirmed: somebody who knew the password may have
// asked for it, and would take the account over by confirming it. All tokens of the user
// end, except those that undo changes of address.
func (tx *Tx) ReclaimEmail(ctx context.Context, by Actor, now time.Time) (account.Account, error) {
	a := by.Account
	if err := by.mayTakeOver(tx, a.ID); err != nil {
		return a, err
	}
	if err := tx.DeleteLinkTokens(ctx, by, never); err != nil {
		return a, err
	}
	if a.PendingEmail == "" {
		return tx.VerifyEmail(ctx, by, now)
	}
	a.PendingEmail = ""
	if a.EmailVerifiedAt == nil {
		verified := at(now)
		a.EmailVerifiedAt = &verified
	}
	return tx.storeEmail(ctx, by.Account, a, now)
}

// ConfirmEmail verifies the address to which the token is bound: it replaces the address
// of the account if it is the pending one. It returns [account.ErrEmailTaken] if another
// account has it by now.
func (tx *Tx) ConfirmEmail(ctx context.Context, by Actor, t linktoken.Token, now time.Time) (account.Account, error) {
	if t.Bound != string(by.Account.PendingEmail) {
		return tx.VerifyEmail(ctx, by, now)
	}
	if err := by.mayChange(tx, by.Account.ID); err != nil {
		return by.Account, err
	}
	return tx.replaceEmail(ctx, by.Account, by.Account.PendingEmail, now)
}

// RestoreEmail undoes the change of address that the token is for: the account gets the
// previous address again, which is verified. Whoever changed it knew the password, so
// the account has none from now on, and all other tokens of the user that were made
// since are deleted.
func (tx *Tx) RestoreEmail(ctx context.Context, by Actor, t linktoken.Token, now time.Time) (account.Account, error) {
	if err := by.mayTakeOver(tx, by.Account.ID); err != nil {
		return by.Account, err
	}
	a, err := tx.replaceEmail(ctx, by.Account, account.Email(t.Slot), now)
	if err != nil {
		return a, err
	}
	if err := tx.ReplaceHash(ctx, a.ID, by.proof.PasswordHash(), secret.String("")); err != nil {
		return a, fmt.Errorf("restore e-mail address: %w", err)
	}
	return a, tx.DeleteLinkTokens(ctx, by, t.CreatedAt)
}

// replaceEmail gives the account the address, in the spelling that the store keeps, as
// one whose mail the user has just proved to read.
func (tx *Tx) replaceEmail(ctx context.Context, was account.Account, spelled account.Email, now time.Time) (account.Account, error) {
	canonical, err := account.ParseEmail(string(spelled))
	if err != nil {
		return was, fmt.Errorf("replace e-mail address: %w", err)
	}
	a := was
	verified := at(now)
	a.Email, a.LegacyEmail, a.PendingEmail, a.EmailVerifiedAt = canonical, spelled, "", &verified
	return tx.storeEmail(ctx, was, a, now)
}

// storeEmail stores the address of a, the pending one, and whether it is verified.
func (tx *Tx) storeEmail(ctx context.Context, was, a account.Account, now time.Time) (account.Account, error) {
	var email, spelled any // null if unchanged
	if a.Email != was.Email {
		email, spelled = string(a.Email), keptEmail(a.Email, a.LegacyEmail)
	}
	a.UpdatedAt = nextVersion(was, now)
	search, reindexed := changedSearchText(was, a)
	n, err := tx.exec(ctx, `
		UPDATE users SET email = COALESCE($3, email), canonical_email = COALESCE($4, canonical_email),
			canonical_of = COALESCE($3, canonical_of), search = $5, indexed_search = CASE WHEN $9 THEN $5 ELSE indexed_search END,
			pending_email = $6, email_verified_at = $7, updated_at = $8
		WHERE id = $1 AND updated_at = $2`,
		string(a.ID), at(was.UpdatedAt), spelled, email, search,
		orNull(a.PendingEmail), atOrNull(a.EmailVerifiedAt), a.UpdatedAt, reindexed)
	switch {
	case err != nil && tx.dialect.Duplicate(err):
		return was, account.ErrEmailTaken.Because(err)
	case err != nil:
		return was, fmt.Errorf("store e-mail address: %w", err)
	case n == 0:
		return was, ErrChanged
	}
	if reindexed {
		err = tx.replaceSearchKeys(ctx, searchKeys(a))
	}
	return a, err
}
