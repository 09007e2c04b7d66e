package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

const nextcloudColumns = `user_id, nextcloud_id, wish, email, full_name, quota, password, first_password,
	version, owned, status, attempts, due_at, last_error, last_synced_at, used_bytes, total_bytes,
	created_at, updated_at, app_password, personal, wants_password, own_quota, set_quota, used_at, password_set,
	link, conflict_id, create_tried, keeps_email, keeps_name, held`

func nextcloudDest(n *desired.Account) []any {
	return []any{
		&n.UserID, &n.NextcloudID, &n.State, &n.Email, &n.FullName, &n.Quota, &n.PendingPassword, &n.InitialPassword,
		&n.Version, &n.Owned, &n.Status, &n.Attempts, nullTimeScanner{&n.DueAt}, &n.LastError,
		nullTimeScanner{&n.LastSyncedAt}, &n.Used, &n.Total, timeScanner{&n.CreatedAt}, timeScanner{&n.UpdatedAt},
		&n.AppPassword, &n.HasUserPassword, &n.WantsPassword, &n.QuotaOverride, &n.LastSetQuota, nullTimeScanner{&n.UsedAt}, &n.PendingIsSet,
		&n.Link, nullTextScanner[string]{&n.ConflictID}, &n.CreateAttempted, &n.KeepsEmail, &n.KeepsName, &n.Held,
	}
}

// SetNextcloudDesired stores the desired state in n and makes the account due. For a
// new user it also stores the Nextcloud id and the initial password; if another row
// has that id, it takes fallbackID instead. For a known user it keeps both and
// replaces the rest. A pending password stays unless n brings another one or the
// account should no longer exist. A conflict remains unless the gateway owns the
// account. A linked account keeps its e-mail address and name until they change
// here.
func (s *Statements) SetNextcloudDesired(ctx context.Context, n desired.Account, fallbackID string, now time.Time) error {
	_, err := s.exec(ctx, `
		INSERT INTO nextcloud_accounts (user_id, nextcloud_id, wish, email, full_name, quota, password,
			first_password, version, owned, status, attempts, due_at, last_error, created_at, updated_at,
			create_tried)
		VALUES ($1, CASE WHEN EXISTS (SELECT 1 FROM nextcloud_accounts WHERE nextcloud_id = $2 AND user_id <> $1)
				THEN $3 ELSE $2 END,
			$4, $5, $6, $7, $8, $9, 1, FALSE, 'pending', 0, $10, '', $10, $10, FALSE)
		ON CONFLICT (user_id) DO UPDATE SET
			wish = excluded.wish, email = excluded.email, full_name = excluded.full_name,
			quota = excluded.quota,
			password = CASE WHEN excluded.wish = 'present'
				THEN COALESCE(excluded.password, nextcloud_accounts.password) END,
			password_set = nextcloud_accounts.password_set AND excluded.password IS NULL AND excluded.wish = 'present',
			wants_password = nextcloud_accounts.wants_password AND excluded.password IS NULL,
			version = nextcloud_accounts.version + 1, attempts = 0, updated_at = excluded.updated_at,
			keeps_email = nextcloud_accounts.keeps_email AND nextcloud_accounts.email = excluded.email,
			keeps_name = nextcloud_accounts.keeps_name AND nextcloud_accounts.full_name = excluded.full_name,
			status = CASE WHEN nextcloud_accounts.status = 'conflict' AND NOT nextcloud_accounts.owned
				THEN 'conflict' ELSE 'pending' END,
			due_at = CASE WHEN nextcloud_accounts.status = 'conflict' AND NOT nextcloud_accounts.owned
				THEN NULL ELSE excluded.due_at END`,
		string(n.UserID), n.NextcloudID, fallbackID, string(n.State), string(n.Email), n.FullName, n.Quota,
		bytesOrNull(n.PendingPassword), n.InitialPassword, at(now))
	if err != nil {
		return fmt.Errorf("desired state of Nextcloud account: %w", err)
	}
	return nil
}

// SetNextcloudQuota stores a quota override, as [desired.Spec.QuotaOverride], after
// the desired state in the same transaction. The reconciler sets it even if somebody
// changed the quota in Nextcloud.
func (tx *Tx) SetNextcloudQuota(ctx context.Context, by Actor, user account.ID, override string) error {
	if err := by.mayAdminister(tx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `
		UPDATE nextcloud_accounts SET own_quota = $2, set_quota = '' WHERE user_id = $1`, string(user), override)
	if err != nil {
		return fmt.Errorf("set quota of Nextcloud account: %w", err)
	}
	return nil
}

func bytesOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// AbandonNextcloud stops managing an account that the gateway owns: it discards a
// pending password, and nothing is due any more except the revocation of app
// passwords.
func (s *Statements) AbandonNextcloud(ctx context.Context, user account.ID, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET password = NULL, password_set = FALSE, status = 'active',
			due_at = (SELECT MAX(r.revoked_at) FROM nextcloud_revocations r WHERE r.user_id = $1 AND r.state <> 'refused'),
			version = version + 1, updated_at = $2
		WHERE user_id = $1 AND owned`, string(user), at(now))
	if err != nil {
		return fmt.Errorf("abandon Nextcloud account: %w", err)
	}
	return nil
}

// DeleteUnownedNextcloud deletes the desired state of an account that the gateway is
// not known to own.
func (s *Statements) DeleteUnownedNextcloud(ctx context.Context, user account.ID) error {
	_, err := s.exec(ctx, `DELETE FROM nextcloud_accounts WHERE user_id = $1 AND NOT owned`, string(user))
	if err != nil {
		return fmt.Errorf("delete unowned Nextcloud account: %w", err)
	}
	return nil
}

// LeaseNextcloud leases up to n due accounts under the name lease until the given
// time, and returns them in the order in which they fell due, so that an account
// that keeps failing comes after those that wait. Concurrent calls lease different
// accounts.
func (s *Statements) LeaseNextcloud(
	ctx context.Context, lease string, now, until time.Time, n int,
) ([]desired.Account, error) {
	list, err := s.nextcloudAccounts(ctx, `
		WITH due AS MATERIALIZED ( -- or a plan may run it once for each row, beyond the limit
			SELECT user_id FROM nextcloud_accounts
			WHERE due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) AND NOT held
			ORDER BY due_at LIMIT $4`+s.dialect.SkipLocked+`)
		UPDATE nextcloud_accounts SET lease = $1, lease_until = $3
		WHERE user_id IN (SELECT user_id FROM due)
		RETURNING `+nextcloudColumns, lease, at(now), at(until), n)
	if err != nil {
		return nil, fmt.Errorf("lease for Nextcloud: %w", err)
	}
	slices.SortStableFunc(list, func(a, b desired.Account) int { return a.DueAt.Compare(*b.DueAt) })
	return list, nil
}

// MarkNextcloudCreateAttempted records that the account is about to be created with
// the initial password, so that an account found later can be the gateway's. It
// returns [ErrChanged] if the lease was lost.
func (s *Statements) MarkNextcloudCreateAttempted(ctx context.Context, user account.ID, lease string) error {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET create_tried = TRUE WHERE user_id = $1 AND lease = $2`, string(user), lease)
	return leased("mark creation of Nextcloud account", n, err)
}

// ReserveNextcloudID gives an account that was never created the given id in
// Nextcloud, unless another row has it, in any letter case. beingDeleted reports
// that the other account is still to be deleted. Both results are false if neither
// holds, or if the lease was lost.
func (s *Statements) ReserveNextcloudID(
	ctx context.Context, user account.ID, lease, id string, now time.Time,
) (reserved, beingDeleted bool, err error) {
	// Asked first: the deletion may end between the two statements, and then the id can
	// be reserved. In the other order, neither statement would see that.
	err = s.queryRow(ctx, nil, []any{&beingDeleted}, `
		SELECT EXISTS (SELECT 1 FROM nextcloud_accounts
			WHERE LOWER(nextcloud_id) = LOWER($1) AND wish = 'absent' AND due_at IS NOT NULL)`, id)
	var n int64
	if err == nil {
		n, err = s.exec(ctx, `
			UPDATE nextcloud_accounts SET nextcloud_id = $3, updated_at = $4
			WHERE user_id = $1 AND lease = $2 AND NOT owned AND NOT create_tried AND link = ''
				AND NOT EXISTS (SELECT 1 FROM nextcloud_accounts other WHERE LOWER(other.nextcloud_id) = LOWER($3))`,
			string(user), lease, id, at(now))
	}
	if err != nil {
		return false, false, fmt.Errorf("reserve id in Nextcloud: %w", err)
	}
	return n > 0, n == 0 && beingDeleted, nil
}

// MarkNextcloudOwned records that the gateway owns the account, and discards what
// was known of an earlier account with that id. It returns [ErrChanged] if the lease
// was lost.
func (s *Statements) MarkNextcloudOwned(ctx context.Context, user account.ID, lease string, now time.Time) error {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET owned = TRUE, personal = FALSE, password_set = FALSE, app_password = NULL, set_quota = '', link = '',
			updated_at = $3
		WHERE user_id = $1 AND lease = $2`,
		string(user), lease, at(now))
	return leased("mark Nextcloud account as owned", n, err)
}

// SaveNextcloudAppPassword stores the sealed app password with which the gateway
// reaches the account's files; nil discards it. It returns [ErrChanged] if the lease
// was lost.
func (s *Statements) SaveNextcloudAppPassword(
	ctx context.Context, user account.ID, lease string, app []byte, now time.Time,
) error {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET app_password = $3, updated_at = $4 WHERE user_id = $1 AND lease = $2`,
		string(user), lease, bytesOrNull(app), at(now))
	return leased("save app password", n, err)
}

// SupplyNextcloudPassword stores the user's own password, sealed, if the account
// lacks it. hash is the hash of the password: if the user has changed it meanwhile,
// nothing is stored.
func (s *Statements) SupplyNextcloudPassword(
	ctx context.Context, user account.ID, hash secret.String, password []byte, now time.Time,
) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET password = $2, password_set = FALSE, wants_password = FALSE, version = version + 1,
			attempts = 0, due_at = $3, updated_at = $3
		WHERE user_id = $1 AND wants_password AND wish = 'present' AND status <> 'conflict' AND NOT held
			AND EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id AND users.password_hash = $4)`,
		string(user), password, at(now), hash.Reveal())
	if err != nil {
		return fmt.Errorf("supply password: %w", err)
	}
	return nil
}

// SettleNextcloud stores the outcome of an attempt at n and ends the lease. If the
// desired state has changed meanwhile, the account stays due. It returns
// [ErrChanged] if the lease was lost.
func (s *Statements) SettleNextcloud(
	ctx context.Context, n desired.Account, lease string, o desired.Outcome, now time.Time,
) error {
	var synced *time.Time
	if o.Synced {
		synced = &now
	}
	rows, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET
			owned = $4, create_tried = create_tried AND first_password = $5, first_password = $5,
			password = CASE WHEN version = $3 THEN $6 ELSE password END,
			password_set = CASE WHEN password = $20 THEN $21 ELSE password_set END, -- or it is another password
			status = CASE WHEN version = $3 THEN $7 ELSE status END,
			due_at = CASE WHEN version = $3 THEN $8 ELSE due_at END,
			attempts = CASE WHEN version = $3 THEN $9 ELSE attempts END,
			last_error = $10, last_synced_at = COALESCE($11, last_synced_at),
			used_bytes = COALESCE($12, used_bytes), total_bytes = CASE WHEN $13 THEN $14 ELSE total_bytes END,
			used_at = CASE WHEN $13 THEN $18 ELSE used_at END,
			set_quota = CASE WHEN version = $3 AND $19 <> '' THEN $19 ELSE set_quota END,
			personal = $16, wants_password = CASE WHEN version = $3 THEN $17 ELSE wants_password END,
			link = CASE WHEN link = 'released' THEN link ELSE $22 END, conflict_id = $23,
			keeps_email = keeps_email AND $22 <> '', keeps_name = keeps_name AND $22 <> '',
			lease = NULL, lease_until = NULL, updated_at = $15
		WHERE user_id = $1 AND lease = $2`,
		string(n.UserID), lease, n.Version, o.Owned, o.InitialPassword, bytesOrNull(o.PendingPassword), string(o.Status),
		atOrNull(o.DueAt), o.Attempts, o.LastError, atOrNull(synced), o.Used, o.Used != nil, o.Total, at(now),
		o.HasUserPassword, o.WantsPassword, atOrNull(o.UsedAt), o.LastSetQuota, bytesOrNull(n.PendingPassword), o.PendingIsSet,
		string(o.Link), orNull(o.ConflictID))
	return leased("settle Nextcloud account", rows, err)
}

// DeleteNextcloud deletes the row of an account that no longer exists, as desired.
// It returns [ErrChanged] if the desired state has changed meanwhile or the lease
// was lost.
func (s *Statements) DeleteNextcloud(ctx context.Context, n desired.Account, lease string) error {
	rows, err := s.exec(ctx, `
		DELETE FROM nextcloud_accounts WHERE user_id = $1 AND lease = $2 AND version = $3`,
		string(n.UserID), lease, n.Version)
	return leased("delete Nextcloud account", rows, err)
}

// ReleaseNextcloudLeases ends what remains of a lease.
func (s *Statements) ReleaseNextcloudLeases(ctx context.Context, lease string) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET lease = NULL, lease_until = NULL WHERE lease = $1`, lease)
	if err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	return nil
}

// leased returns the error of a statement that requires a lease: [ErrChanged] if it
// affected no row.
func leased(what string, rows int64, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if rows == 0 {
		return fmt.Errorf("%s: %w", what, ErrChanged)
	}
	return nil
}

// NextcloudDue returns the number of accounts that are due.
func (s *Statements) NextcloudDue(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := s.queryRow(ctx, nil, []any{&n}, `SELECT COUNT(*) FROM nextcloud_accounts WHERE due_at <= $1 AND NOT held`, at(now))
	if err != nil {
		return 0, fmt.Errorf("count due Nextcloud accounts: %w", err)
	}
	return n, nil
}

// NextcloudAccount returns the desired state of the user's account and what is known
// of it, or [account.ErrNotFound].
func (s *Statements) NextcloudAccount(ctx context.Context, user account.ID) (desired.Account, error) {
	var n desired.Account
	err := s.queryRow(ctx, account.ErrNotFound, nextcloudDest(&n),
		`SELECT `+nextcloudColumns+` FROM nextcloud_accounts WHERE user_id = $1`, string(user))
	if err != nil {
		return desired.Account{}, fmt.Errorf("account in Nextcloud: %w", err)
	}
	return n, nil
}

// NextcloudAccounts returns a page of the accounts with that status ("" for all),
// newest first.
func (s *Statements) NextcloudAccounts(ctx context.Context, status desired.Status, p Page) ([]desired.Account, error) {
	where, args := `user_id < $1`, []any{p.before(), p.Limit, p.Skip}
	if status != "" { // a condition that covers both cases would use no index
		where, args = `status = $4 AND `+where, append(args, string(status))
	}
	list, err := s.nextcloudAccounts(ctx, `
		SELECT `+nextcloudColumns+` FROM nextcloud_accounts
		WHERE `+where+` ORDER BY user_id DESC LIMIT $2 OFFSET $3`, args...)
	if err != nil {
		return nil, fmt.Errorf("accounts in Nextcloud: %w", err)
	}
	return list, nil
}

// RetryNextcloud makes the account due now, whatever its status, or returns
// [account.ErrNotFound].
func (tx *Tx) RetryNextcloud(
	ctx context.Context, by Actor, user account.ID, now time.Time,
) (n desired.Account, err error) {
	if err := by.mayAdminister(tx); err != nil {
		return desired.Account{}, err
	}
	err = tx.queryRow(ctx, account.ErrNotFound, nextcloudDest(&n), `
		UPDATE nextcloud_accounts SET status = 'pending', attempts = 0, due_at = $2, updated_at = $2
		WHERE user_id = $1 RETURNING `+nextcloudColumns, string(user), at(now))
	if err != nil {
		return desired.Account{}, fmt.Errorf("retry Nextcloud account: %w", err)
	}
	return n, nil
}

// RecheckNextcloud makes every settled account of an existing user due now, for a
// Nextcloud that has lost accounts. It works in batches and returns the number of accounts.
func (s *Statements) RecheckNextcloud(ctx context.Context, now time.Time) (int64, error) {
	n, err := s.changeInBatches(ctx, `UPDATE nextcloud_accounts SET due_at = $1`, `nextcloud_accounts`, `user_id`, `
		(status = 'active' OR status = 'pending' AND due_at IS NULL) AND (due_at IS NULL OR due_at > $1)
		AND EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)`, at(now))
	if err != nil {
		return n, fmt.Errorf("recheck Nextcloud accounts: %w", err)
	}
	return n, nil
}

func (s *Statements) nextcloudAccounts(ctx context.Context, query string, args ...any) ([]desired.Account, error) {
	list := []desired.Account{}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var n desired.Account
		if err := row.Scan(nextcloudDest(&n)...); err != nil {
			return err
		}
		list = append(list, n)
		return nil
	}, query, args...)
	return list, err
}
