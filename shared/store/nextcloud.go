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
	link, conflict_id, create_tried, keeps_email, keeps_name`

func nextcloudDest(n *desired.Account) []any {
	return []any{
		&n.UserID, &n.NextcloudID, &n.State, &n.Email, &n.FullName, &n.Quota, &n.PendingPassword, &n.InitialPassword,
		&n.Version, &n.Owned, &n.Status, &n.Attempts, nullTimeScanner{&n.DueAt}, &n.LastError,
		nullTimeScanner{&n.LastSyncedAt}, &n.Used, &n.Total, timeScanner{&n.CreatedAt}, timeScanner{&n.UpdatedAt},
		&n.AppPassword, &n.HasUserPassword, &n.WantsPassword, &n.QuotaOverride, &n.LastSetQuota, nullTimeScanner{&n.UsedAt}, &n.PendingIsSet,
		&n.Link, nullTextScanner[string]{&n.ConflictID}, &n.CreateAttempted, &n.KeepsEmail, &n.KeepsName,
	}
}

// SetNextcloudDesired records n's wish, due now. The first wish for a user stores the
// Nextcloud id and the first password, too; where another row has that id, spare
// is taken instead. A later one keeps both, replaces the rest, and keeps a
// password that waits unless it brings one or the account is no longer wished.
// An account in conflict stays so unless it is ours. What a linked account keeps,
// it keeps until the wish for it changes.
func (s *Statements) SetNextcloudDesired(ctx context.Context, n desired.Account, spare string, now time.Time) error {
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
		string(n.UserID), n.NextcloudID, spare, string(n.State), string(n.Email), n.FullName, n.Quota,
		bytesOrNull(n.PendingPassword), n.InitialPassword, at(now))
	if err != nil {
		return fmt.Errorf("wish for Nextcloud: %w", err)
	}
	return nil
}

// SetNextcloudQuota records, after the wish of the same transaction, a quota of
// the account's own as [desired.Spec.QuotaOverride]. It is set in Nextcloud even where
// somebody changed it there.
func (tx *Tx) SetNextcloudQuota(ctx context.Context, by Actor, user account.ID, own string) error {
	if err := by.mayAdminister(tx); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `
		UPDATE nextcloud_accounts SET own_quota = $2, set_quota = '' WHERE user_id = $1`, string(user), own)
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

// AbandonNextcloud leaves an account that is ours as it is, for good: no password
// waits, and nothing is due any more but app passwords that were taken back
// before.
func (s *Statements) AbandonNextcloud(ctx context.Context, user account.ID, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET password = NULL, password_set = FALSE, status = 'active',
			due_at = (SELECT MAX(r.revoked_at) FROM nextcloud_revocations r WHERE r.user_id = $1 AND r.state <> 'refused'),
			version = version + 1, updated_at = $2
		WHERE user_id = $1 AND owned`, string(user), at(now))
	if err != nil {
		return fmt.Errorf("leave Nextcloud account: %w", err)
	}
	return nil
}

// DeleteUnownedNextcloud drops the wish for an account that is not known to be ours.
func (s *Statements) DeleteUnownedNextcloud(ctx context.Context, user account.ID) error {
	_, err := s.exec(ctx, `DELETE FROM nextcloud_accounts WHERE user_id = $1 AND NOT owned`, string(user))
	if err != nil {
		return fmt.Errorf("drop Nextcloud account: %w", err)
	}
	return nil
}

// LeaseNextcloud leases up to n due accounts to the holder named lease until
// the time given, and returns them in the order they fell due: one that keeps
// failing comes after those that wait. Concurrent calls lease different ones.
func (s *Statements) LeaseNextcloud(
	ctx context.Context, lease string, now, until time.Time, n int,
) ([]desired.Account, error) {
	list, err := s.nextcloudAccounts(ctx, `
		WITH due AS MATERIALIZED ( -- else a plan may run it once for each row, past the limit
			SELECT user_id FROM nextcloud_accounts
			WHERE due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)
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

// MarkNextcloudCreateAttempted notes that the account is about to be made with the first
// password, so one that is there afterwards can be ours. It returns [ErrChanged]
// when the lease was lost.
func (s *Statements) MarkNextcloudCreateAttempted(ctx context.Context, user account.ID, lease string) error {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET create_tried = TRUE WHERE user_id = $1 AND lease = $2`, string(user), lease)
	return leased("note creation of Nextcloud account", n, err)
}

// ReserveNextcloudID gives an account that nobody began to make that id in
// Nextcloud, unless another row has it, in whatever letter case. going reports
// that the other one is still to be deleted. It is neither where the lease was lost.
func (s *Statements) ReserveNextcloudID(
	ctx context.Context, user account.ID, lease, id string, now time.Time,
) (taken, going bool, err error) {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET nextcloud_id = $3, updated_at = $4
		WHERE user_id = $1 AND lease = $2 AND NOT owned AND NOT create_tried AND link = ''
			AND NOT EXISTS (SELECT 1 FROM nextcloud_accounts held WHERE LOWER(held.nextcloud_id) = LOWER($3))`,
		string(user), lease, id, at(now))
	if err == nil && n == 0 {
		err = s.queryRow(ctx, nil, []any{&going}, `
			SELECT EXISTS (SELECT 1 FROM nextcloud_accounts
				WHERE LOWER(nextcloud_id) = LOWER($1) AND wish = 'absent' AND due_at IS NOT NULL)`, id)
	}
	if err != nil {
		return false, false, fmt.Errorf("take id in Nextcloud: %w", err)
	}
	return n > 0, going, nil
}

// MarkNextcloudOwned notes, as soon as it is known, that the account is ours; what
// was known of one before it holds no more. It returns [ErrChanged] when the
// lease was lost.
func (s *Statements) MarkNextcloudOwned(ctx context.Context, user account.ID, lease string, now time.Time) error {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET owned = TRUE, personal = FALSE, password_set = FALSE, app_password = NULL, set_quota = '', link = '',
			updated_at = $3
		WHERE user_id = $1 AND lease = $2`,
		string(user), lease, at(now))
	return leased("own Nextcloud account", n, err)
}

// SaveNextcloudAppPassword keeps the app password that was just fetched, sealed, since
// query fetch makes another; nil forgets one that is refused. It returns
// [ErrChanged] when the lease was lost.
func (s *Statements) SaveNextcloudAppPassword(
	ctx context.Context, user account.ID, lease string, app []byte, now time.Time,
) error {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET app_password = $3, updated_at = $4 WHERE user_id = $1 AND lease = $2`,
		string(user), lease, bytesOrNull(app), at(now))
	return leased("keep app password", n, err)
}

// SupplyNextcloudPassword records the user's own password, sealed, where it is wanted.
// Hash is that of the password: where the account has another one meanwhile,
// nothing is recorded.
func (s *Statements) SupplyNextcloudPassword(
	ctx context.Context, user account.ID, hash secret.String, password []byte, now time.Time,
) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET password = $2, password_set = FALSE, wants_password = FALSE, version = version + 1,
			attempts = 0, due_at = $3, updated_at = $3
		WHERE user_id = $1 AND wants_password AND wish = 'present' AND status <> 'conflict'
			AND EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id AND users.password_hash = $4)`,
		string(user), password, at(now), hash.Reveal())
	if err != nil {
		return fmt.Errorf("hand over password: %w", err)
	}
	return nil
}

// SettleNextcloud ends the lease with what became of the try at n. A wish that
// changed meanwhile stays due. It returns [ErrChanged] when the lease was lost.
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
			password_set = CASE WHEN password = $20 THEN $21 ELSE password_set END, -- else it is another one
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

// DeleteNextcloud deletes the row of an account that is gone as wished. A wish
// that changed meanwhile keeps it, which is [ErrChanged], as is a lost lease.
func (s *Statements) DeleteNextcloud(ctx context.Context, n desired.Account, lease string) error {
	rows, err := s.exec(ctx, `
		DELETE FROM nextcloud_accounts WHERE user_id = $1 AND lease = $2 AND version = $3`,
		string(n.UserID), lease, n.Version)
	return leased("forget Nextcloud account", rows, err)
}

// ReleaseNextcloudLeases gives back what is still leased, untried.
func (s *Statements) ReleaseNextcloudLeases(ctx context.Context, lease string) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET lease = NULL, lease_until = NULL WHERE lease = $1`, lease)
	if err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	return nil
}

func leased(what string, rows int64, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if rows == 0 {
		return fmt.Errorf("%s: %w", what, ErrChanged)
	}
	return nil
}

// NextcloudDue returns how many accounts are due.
func (s *Statements) NextcloudDue(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := s.queryRow(ctx, nil, []any{&n}, `SELECT COUNT(*) FROM nextcloud_accounts WHERE due_at <= $1`, at(now))
	if err != nil {
		return 0, fmt.Errorf("count due Nextcloud accounts: %w", err)
	}
	return n, nil
}

// NextcloudAccount returns the wish for the user's account and what is known of
// it, or [account.ErrNotFound].
func (s *Statements) NextcloudAccount(ctx context.Context, user account.ID) (desired.Account, error) {
	var n desired.Account
	err := s.queryRow(ctx, account.ErrNotFound, nextcloudDest(&n),
		`SELECT `+nextcloudColumns+` FROM nextcloud_accounts WHERE user_id = $1`, string(user))
	if err != nil {
		return desired.Account{}, fmt.Errorf("account in Nextcloud: %w", err)
	}
	return n, nil
}

// NextcloudAccounts returns a page of the accounts of that status ("" for all),
// newest first.
func (s *Statements) NextcloudAccounts(ctx context.Context, status desired.Status, p Page) ([]desired.Account, error) {
	list, err := s.nextcloudAccounts(ctx, `
		SELECT `+nextcloudColumns+` FROM nextcloud_accounts
		WHERE ($1 = '' OR status = $1) AND user_id < $2 ORDER BY user_id DESC LIMIT $3 OFFSET $4`,
		string(status), p.before(), p.Limit, p.Skip)
	if err != nil {
		return nil, fmt.Errorf("accounts in Nextcloud: %w", err)
	}
	return list, nil
}

// RetryNextcloud makes the account due now, whatever its status; it returns
// [account.ErrNotFound] when there is none.
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

// RecheckNextcloud makes every account that is in order and whose user is there
// due now, for a Nextcloud that lost them. It returns how many there are.
func (s *Statements) RecheckNextcloud(ctx context.Context, now time.Time) (int64, error) {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET due_at = $1
		WHERE (status = 'active' OR status = 'pending' AND due_at IS NULL) AND EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)`, at(now))
	if err != nil {
		return 0, fmt.Errorf("recheck Nextcloud accounts: %w", err)
	}
	return n, nil
}

func (s *Statements) nextcloudAccounts(ctx context.Context, query string, args ...any) ([]desired.Account, error) {
	list := []desired.Account{}
	err := s.query(ctx, func(row scanner) error {
		var n desired.Account
		if err := row.Scan(nextcloudDest(&n)...); err != nil {
			return err
		}
		list = append(list, n)
		return nil
	}, query, args...)
	return list, err
}
