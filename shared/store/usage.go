package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// ClaimUsageQuery reports whether the caller is to ask Nextcloud how much the user's
// account holds: nobody did since the time given, and of concurrent calls one
// is. Only accounts that are ours can be asked about, and only while the gate is
// open for the credentials that key stands for.
func (s *Statements) ClaimUsageQuery(
	ctx context.Context, user account.ID, key string, since, now time.Time,
) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET seen_at = $3
		WHERE user_id = $1 AND owned AND (seen_at IS NULL OR seen_at < $2)
			AND EXISTS (SELECT 1 FROM nextcloud_access WHERE settings = $4 AND proved)`, string(user), at(since), at(now), key)
	if err != nil {
		return false, fmt.Errorf("claim usage: %w", err)
	}
	return n > 0, nil
}

// SetUsage keeps what Nextcloud said at the time asked, in bytes; total is nil
// without a limit. Numbers that were read later stay.
func (s *Statements) SetUsage(
	ctx context.Context, user account.ID, used int64, total *int64, asked time.Time,
) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET used_bytes = $2, total_bytes = $3, used_at = $4
		WHERE user_id = $1 AND (used_at IS NULL OR used_at <= $4)`,
		string(user), used, total, at(asked))
	if err != nil {
		return fmt.Errorf("note usage: %w", err)
	}
	return nil
}
