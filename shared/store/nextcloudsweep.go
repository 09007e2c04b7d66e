package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// NextcloudAccountsAfter returns up to n accounts in the order of their users'
// ids, beginning after the one given; "" begins at the first. The second list
// holds those of them that were left in Nextcloud when their users were deleted.
func (s *Statements) NextcloudAccountsAfter(
	ctx context.Context, after account.ID, n int,
) (list []desired.Account, left map[account.ID]bool, err error) {
	if after == "" {
		after = oldest
	}
	left = map[account.ID]bool{}
	err = s.query(ctx, func(row scanner) error {
		var (
			a    desired.Account
			gone bool
		)
		if err := row.Scan(append(nextcloudDest(&a), &gone)...); err != nil {
			return err
		}
		if gone {
			left[a.UserID] = true
		}
		list = append(list, a)
		return nil
	}, `SELECT `+nextcloudColumns+`,
			wish = 'present' AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id)
		FROM nextcloud_accounts WHERE user_id > $1 ORDER BY user_id LIMIT $2`, string(after), n)
	if err != nil {
		return nil, nil, fmt.Errorf("accounts in Nextcloud: %w", err)
	}
	return list, left, nil
}

// RecheckNextcloudAccount makes an account due that was found to differ from
// its wish, unless something happened to it since it was read as n. It reports
// whether it did.
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

// An Outlook is how much is left to be done for accounts in Nextcloud.
type Backlog struct {
	Due       int        // accounts to be tried now
	Remaining int        // accounts to be tried now or later
	GivenUp   int        // accounts in conflict or failed: somebody must look
	NextDue   *time.Time // when the first of Left falls due; nil for none
}

// NextcloudBacklog returns what is left to be done.
func (s *Statements) NextcloudBacklog(ctx context.Context, now time.Time) (Backlog, error) {
	var o Backlog
	err := s.queryRow(ctx, nil, []any{&o.Due, &o.Remaining, &o.GivenUp, nullTimeScanner{&o.NextDue}}, `
		SELECT COUNT(CASE WHEN due_at <= $1 THEN 1 END), COUNT(due_at),
			COUNT(CASE WHEN status IN ('failed', 'conflict') THEN 1 END), MIN(due_at)
		FROM nextcloud_accounts`, at(now))
	if err != nil {
		return Backlog{}, fmt.Errorf("outlook for Nextcloud: %w", err)
	}
	return o, nil
}

// OldestUnprovisioned returns since when the account waits that waits longest to
// be there for the first time; nil for none. One in conflict does not count:
// whoever registers somebody else's address makes one.
func (s *Statements) OldestUnprovisioned(ctx context.Context) (since *time.Time, err error) {
	err = s.queryRow(ctx, nil, []any{nullTimeScanner{&since}}, `
		SELECT MIN(created_at) FROM nextcloud_accounts
		WHERE wish = 'present' AND last_synced_at IS NULL AND status IN ('pending', 'failed')`)
	if err != nil {
		return nil, fmt.Errorf("oldest unprovisioned account: %w", err)
	}
	return since, nil
}
