package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// NextcloudAccountsAfter returns up to n accounts in the order of their users' ids,
// after the given one; "" begins with the first. abandoned holds the users among
// them who were deleted and whose accounts were left as they are.
func (s *Statements) NextcloudAccountsAfter(
	ctx context.Context, after account.ID, n int,
) (list []desired.Account, abandoned map[account.ID]bool, err error) {
	if after == "" {
		after = oldest
	}
	abandoned = map[account.ID]bool{}
	err = queryList(ctx, s, &list, func(row scanner) error {
		var (
			a    desired.Account
			gone bool
		)
		if err := row.Scan(append(nextcloudDest(&a), &gone)...); err != nil {
			return err
		}
		if gone {
			abandoned[a.UserID] = true
		}
		list = append(list, a)
		return nil
	}, `SELECT `+nextcloudColumns+`,
			wish = 'present' AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)
		FROM nextcloud_accounts WHERE user_id > $1 ORDER BY user_id LIMIT $2`, string(after), n)
	if err != nil {
		return nil, nil, fmt.Errorf("accounts in Nextcloud: %w", err)
	}
	return list, abandoned, nil
}

// RecheckNextcloudAccount makes an account due that differs from its desired state,
// unless something has changed it since it was read as n. It reports whether it did.
func (s *Statements) RecheckNextcloudAccount(ctx context.Context, n desired.Account, now time.Time) (bool, error) {
	rows, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET due_at = $3
		WHERE user_id = $1 AND version = $2 AND due_at IS NULL AND status IN ('active', 'disabled', 'pending')`,
		string(n.UserID), n.Version, at(now))
	if err != nil {
		return false, fmt.Errorf("recheck Nextcloud account: %w", err)
	}
	return rows > 0, nil
}

// A Backlog is the work that remains for accounts in Nextcloud.
type Backlog struct {
	Due       int        // accounts that are due now
	Remaining int        // accounts that are due now or later
	GivenUp   int        // accounts in conflict or failed, which a person has to look at
	NextDue   *time.Time // when the next account is due; nil for none
}

// NextcloudBacklog returns the work that remains.
func (s *Statements) NextcloudBacklog(ctx context.Context, now time.Time) (Backlog, error) {
	var b Backlog
	err := s.queryRow(ctx, nil, []any{&b.Due, &b.Remaining, &b.GivenUp, nullTimeScanner{&b.NextDue}}, `
		SELECT (SELECT COUNT(*) FROM nextcloud_accounts WHERE due_at <= $1 AND NOT held),
			(SELECT COUNT(*) FROM nextcloud_accounts WHERE due_at > $2 AND NOT held),
			(SELECT COUNT(*) FROM nextcloud_accounts WHERE status IN ('failed', 'conflict') AND NOT held),
			(SELECT MIN(due_at) FROM nextcloud_accounts WHERE due_at > $2 AND NOT held)`,
		at(now), time.Time{}) // SQLite uses the index for a comparison, not for IS NOT NULL
	if err != nil {
		return Backlog{}, fmt.Errorf("backlog of Nextcloud: %w", err)
	}
	return b, nil
}

// CountNextcloudAccounts returns the number of accounts in Nextcloud by status. It reads
// an index of all accounts, about 0.1 s for a million.
func (s *Statements) CountNextcloudAccounts(ctx context.Context) (map[desired.Status]int, error) {
	counts := map[desired.Status]int{}
	err := s.query(ctx, func(row scanner) error {
		var status desired.Status
		var n int
		err := row.Scan(&status, &n)
		counts[status] = n
		return err
	}, `SELECT status, COUNT(*) FROM nextcloud_accounts GROUP BY status`)
	if err != nil {
		return nil, fmt.Errorf("count Nextcloud accounts: %w", err)
	}
	return counts, nil
}

// OldestUnprovisioned returns the creation time of the account that has waited
// longest to exist in Nextcloud; nil for none. Conflicts do not count, as anybody
// can cause one by registering somebody else's address.
func (s *Statements) OldestUnprovisioned(ctx context.Context) (since *time.Time, err error) {
	err = s.queryRow(ctx, nil, []any{nullTimeScanner{&since}}, `
		SELECT MIN(created_at) FROM nextcloud_accounts
		WHERE wish = 'present' AND NOT held AND last_synced_at IS NULL AND status IN ('pending', 'failed')`)
	if err != nil {
		return nil, fmt.Errorf("oldest unprovisioned account: %w", err)
	}
	return since, nil
}
