package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// NextcloudAccountByID returns the user's account that is the one of that id in
// Nextcloud, in whatever letter case, as far as it is known to be: made by the
// gateway or linked. It is [account.ErrNotFound] where there is none. gone
// reports that its user was deleted and the account was left as it is.
func (s *Statements) NextcloudAccountByID(ctx context.Context, id string) (n desired.Account, gone bool, err error) {
	err = s.queryRow(ctx, account.ErrNotFound, append(nextcloudDest(&n), &gone), `
		SELECT `+nextcloudColumns+`,
			wish = 'present' AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)
		FROM nextcloud_accounts WHERE LOWER(nextcloud_id) = LOWER($1) AND (owned OR link <> '')`, id)
	if err != nil {
		return desired.Account{}, false, fmt.Errorf("holder of an account in Nextcloud: %w", err)
	}
	return n, gone, nil
}

// ClaimNextcloud makes the account of that id in Nextcloud the caller's, who has
// liveLogin it, and makes it due. way is the id of the account that is in the way of
// theirs, as it was read: where that has changed, or somebody works on the account,
// it is [ErrChanged]. proof is the password that proved it, sealed. Nothing of the
// account is to be overwritten, so no password waits any more. It is
// [desired.ErrAlreadyLinked] where the account is another user's.
func (tx *Tx) ClaimNextcloud(
	ctx context.Context, by Actor, way, id string, proof []byte, now time.Time,
) (n desired.Account, err error) {
	user := by.proof.User()
	if err := by.mayChange(tx, user); err != nil {
		return desired.Account{}, err
	}
	if err := tx.vacateNextcloud(ctx, user, id, now); err != nil {
		return desired.Account{}, err
	}
	err = tx.queryRow(ctx, ErrChanged, nextcloudDest(&n), `
		UPDATE nextcloud_accounts SET nextcloud_id = $2, link = 'claimed', owned = TRUE, personal = FALSE,
			first_password = $3, app_password = NULL, password = NULL, password_set = FALSE, wants_password = FALSE,
			keeps_email = TRUE, keeps_name = TRUE,
			own_quota = CASE WHEN own_quota = '' THEN 'keep' ELSE own_quota END,
			set_quota = '', status = 'pending', attempts = 0, due_at = $4, last_error = '', conflict_id = NULL,
			version = version + 1, updated_at = $4, lease = NULL, lease_until = NULL
		WHERE user_id = $1 AND status = 'conflict' AND COALESCE(conflict_id, nextcloud_id) = $5
			AND (lease_until IS NULL OR lease_until <= $4)
		RETURNING `+nextcloudColumns, string(user), id, proof, at(now), way)
	if err != nil {
		return desired.Account{}, fmt.Errorf("claim account in Nextcloud: %w", err)
	}
	return n, nil
}

// AdoptNextcloud links the account of that id in Nextcloud to the user, who has
// to claim it: word is what the account's last error says of that. It is
// [desired.ErrAlreadyLinked] where the user has one that works or the account is
// another user's, [ErrChanged] while somebody works on the user's account, and
// [account.ErrNotFound] where there is no such user.
func (tx *Tx) AdoptNextcloud(
	ctx context.Context, by Actor, user account.ID, id, word string, now time.Time,
) (n desired.Account, err error) {
	if err := by.mayAdminister(tx); err != nil {
		return desired.Account{}, err
	}
	if n, err = tx.NextcloudAccount(ctx, user); err != nil {
		return desired.Account{}, err
	}
	if n.Owned || n.Link != desired.NoLink && n.Link != desired.Adopted {
		return desired.Account{}, desired.ErrAlreadyLinked
	}
	if err := tx.vacateNextcloud(ctx, user, id, now); err != nil {
		return desired.Account{}, err
	}
	err = tx.queryRow(ctx, ErrChanged, nextcloudDest(&n), `
		UPDATE nextcloud_accounts SET nextcloud_id = $2, conflict_id = $2, link = 'adopted', status = 'conflict',
			last_error = $3, password = NULL, password_set = FALSE, wants_password = FALSE, attempts = 0, due_at = NULL,
			version = version + 1, updated_at = $4, lease = NULL, lease_until = NULL
		WHERE user_id = $1 AND NOT owned AND (lease_until IS NULL OR lease_until <= $4)
			AND EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)
		RETURNING `+nextcloudColumns, string(user), id, word, at(now))
	if err != nil {
		return desired.Account{}, fmt.Errorf("adopt account in Nextcloud: %w", err)
	}
	return n, nil
}

// vacateNextcloud takes the id of an account in Nextcloud from rows that only
// reserved it, whose users get an account of another id then, and from one that
// was left behind by a user who is gone. It is [desired.ErrAlreadyLinked] where
// another user's account has it.
func (tx *Tx) vacateNextcloud(ctx context.Context, user account.ID, id string, now time.Time) error {
	const others = ` WHERE LOWER(nextcloud_id) = LOWER($2) AND user_id <> $1`
	_, err := tx.exec(ctx, `DELETE FROM nextcloud_accounts`+others+` AND wish = 'present' AND due_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)`, string(user), id)
	if err == nil {
		_, err = tx.exec(ctx, `
			UPDATE nextcloud_accounts SET nextcloud_id = CAST(user_id AS TEXT), conflict_id = NULL, status = 'pending',
				attempts = 0, due_at = $3, version = version + 1, updated_at = $3, lease = NULL, lease_until = NULL`+
			others+` AND NOT owned AND link = ''`, string(user), id, at(now))
	}
	left := 0
	if err == nil {
		err = tx.queryRow(ctx, nil, []any{&left}, `SELECT COUNT(*) FROM nextcloud_accounts`+others, string(user), id)
	}
	switch {
	case err != nil:
		return fmt.Errorf("vacate an id in Nextcloud: %w", err)
	case left > 0:
		return desired.ErrAlreadyLinked
	}
	return nil
}

// RecheckNextcloudConflict makes an account due whose conflict is gone: the
// account that was in the way is not there any more.
func (s *Statements) RecheckNextcloudConflict(ctx context.Context, n desired.Account, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET status = 'pending', attempts = 0, due_at = $3, updated_at = $3
		WHERE user_id = $1 AND version = $2 AND status = 'conflict'`, string(n.UserID), n.Version, at(now))
	if err != nil {
		return fmt.Errorf("recheck conflict in Nextcloud: %w", err)
	}
	return nil
}

// UnlinkNextcloud lets go of the account in Nextcloud of a user who is deleted,
// where the gateway did not make it, and reports whether that is so. One that was
// claimed is released by the reconciler.
func (tx *Tx) UnlinkNextcloud(ctx context.Context, user account.ID, now time.Time) (bool, error) {
	n, err := tx.exec(ctx, `
		UPDATE nextcloud_accounts SET link = 'released', password = NULL, password_set = FALSE,
			wants_password = FALSE, status = 'pending', attempts = 0, due_at = $2, version = version + 1, updated_at = $2
		WHERE user_id = $1 AND link = 'claimed'`, string(user), at(now))
	if err == nil && n == 0 {
		n, err = tx.exec(ctx, `
			DELETE FROM nextcloud_accounts
			WHERE user_id = $1 AND NOT owned AND (link = 'adopted' OR status = 'conflict')`, string(user))
	}
	if err != nil {
		return false, fmt.Errorf("unlink account in Nextcloud: %w", err)
	}
	return n > 0, nil
}
