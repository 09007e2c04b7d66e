package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// NextcloudAccountByID returns the account whose id in Nextcloud is id, in any
// letter case, if the gateway created or linked it. Otherwise it returns
// [account.ErrNotFound]. userDeleted reports that its user was deleted and the
// account left as it is.
func (s *Statements) NextcloudAccountByID(ctx context.Context, id string) (n desired.Account, userDeleted bool, err error) {
	err = s.queryRow(ctx, account.ErrNotFound, append(nextcloudDest(&n), &userDeleted), `
		SELECT `+nextcloudColumns+`,
			wish = 'present' AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)
		FROM nextcloud_accounts WHERE LOWER(nextcloud_id) = LOWER($1) AND (owned OR link <> '')`, id)
	if err != nil {
		return desired.Account{}, false, fmt.Errorf("account by id in Nextcloud: %w", err)
	}
	return n, userDeleted, nil
}

// TakenNextcloudIDs returns those of the ids in Nextcloud, in lower case, that a user has
// or waits for, or whose accounts the gateway still manages after their users were
// deleted. Accounts that it left behind are free.
func (s *Statements) TakenNextcloudIDs(ctx context.Context, ids []string) (map[string]bool, error) {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{strings.ToLower(id)} // ASCII, see [desired.NextcloudID]
	}
	taken := map[string]bool{}
	err := eachChunk(rows, func(_ string, args []any) error {
		return s.query(ctx, func(row scanner) error {
			var id string
			err := row.Scan(&id)
			taken[strings.ToLower(id)] = true
			return err
		}, `SELECT nextcloud_id FROM nextcloud_accounts WHERE LOWER(nextcloud_id) IN (`+placeholders(len(args))+`)
			AND NOT (wish = 'present' AND due_at IS NULL
				AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id))`, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("taken ids in Nextcloud: %w", err)
	}
	return taken, nil
}

// ClaimNextcloud links the account with that id in Nextcloud to the caller and makes
// it due. conflicting is the id of the account in conflict with the caller's, as it
// was read: if that has changed, or an attempt is in progress, the error is
// [ErrChanged]. proof is the sealed password that proved the claim. Nothing in the
// account is to be overwritten, so a pending password is discarded. The error is
// [desired.ErrAlreadyLinked] if the account is another user's.
func (tx *Tx) ClaimNextcloud(
	ctx context.Context, by Actor, conflicting, id string, proof []byte, now time.Time,
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
		RETURNING `+nextcloudColumns, string(user), id, proof, at(now), conflicting)
	if err != nil {
		return desired.Account{}, fmt.Errorf("claim account in Nextcloud: %w", err)
	}
	return n, nil
}

// AdoptNextcloud links the account with that id in Nextcloud to the user, who has to
// claim it; code is the account's last error until then. The error is
// [desired.ErrAlreadyLinked] if the user's account works or the account is another
// user's, [ErrChanged] while an attempt is in progress, and [account.ErrNotFound] if
// there is no such user.
func (tx *Tx) AdoptNextcloud(
	ctx context.Context, by Actor, user account.ID, id, code string, now time.Time,
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
		RETURNING `+nextcloudColumns, string(user), id, code, at(now))
	if err != nil {
		return desired.Account{}, fmt.Errorf("adopt account in Nextcloud: %w", err)
	}
	return n, nil
}

// vacateNextcloud takes an id in Nextcloud from rows that have only reserved it,
// whose users then get another one, and from an account that was left behind by a
// deleted user. The error is [desired.ErrAlreadyLinked] if it is another user's
// account.
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

// RecheckNextcloudConflict makes an account due whose conflict is gone, because the
// conflicting account no longer exists.
func (s *Statements) RecheckNextcloudConflict(ctx context.Context, n desired.Account, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET status = 'pending', attempts = 0, due_at = $3, updated_at = $3
		WHERE user_id = $1 AND version = $2 AND status = 'conflict'`, string(n.UserID), n.Version, at(now))
	if err != nil {
		return fmt.Errorf("recheck conflict in Nextcloud: %w", err)
	}
	return nil
}

// UnlinkNextcloud releases the account in Nextcloud of a deleted user if the gateway
// did not create it, or was not to create it yet, and reports whether that is so. The reconciler finishes the
// release of a claimed account.
func (tx *Tx) UnlinkNextcloud(ctx context.Context, user account.ID, now time.Time) (bool, error) {
	n, err := tx.exec(ctx, `
		UPDATE nextcloud_accounts SET link = 'released', password = NULL, password_set = FALSE,
			wants_password = FALSE, status = 'pending', attempts = 0, due_at = $2, version = version + 1, updated_at = $2
		WHERE user_id = $1 AND link = 'claimed'`, string(user), at(now))
	if err == nil && n == 0 {
		n, err = tx.exec(ctx, `
			DELETE FROM nextcloud_accounts
			WHERE user_id = $1 AND NOT owned AND (link = 'adopted' OR status = 'conflict' OR held)`, string(user))
	}
	if err != nil {
		return false, fmt.Errorf("unlink account in Nextcloud: %w", err)
	}
	return n > 0, nil
}
