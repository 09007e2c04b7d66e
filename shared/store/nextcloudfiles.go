package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// DiscardNextcloudAppPassword forgets the app password that Nextcloud refused, sealed as
// it was read, and makes the account due. One that was replaced meanwhile stays.
func (s *Statements) DiscardNextcloudAppPassword(ctx context.Context, user account.ID, app []byte, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET app_password = NULL, version = version + 1, attempts = 0, due_at = $3,
			updated_at = $3
		WHERE user_id = $1 AND app_password = $2`, string(user), app, at(now))
	if err != nil {
		return fmt.Errorf("refuse app password: %w", err)
	}
	return nil
}

// RecheckNextcloudUser makes an account that is in order due now, since it was
// seen that it is not.
func (s *Statements) RecheckNextcloudUser(ctx context.Context, user account.ID, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET due_at = $2
		WHERE user_id = $1 AND status = 'active' AND due_at IS NULL`, string(user), at(now))
	if err != nil {
		return fmt.Errorf("recheck Nextcloud account: %w", err)
	}
	return nil
}
