package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// ClaimUsageQuery reports whether the caller is to query Nextcloud for the used
// space of the user's account: nobody has done so since the given time, and
// exactly one of several concurrent callers gets true. It applies to accounts
// that the gateway owns, and only while the circuit breaker is closed for the
// credentials with that key.
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

// SetUsage stores the used and total space in bytes that Nextcloud reported at
// the time asked. total is nil if there is no limit. It does not overwrite
// later values.
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
