package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// HoldNextcloud keeps the account that is to be created for the user from being leased,
// until [Statements.ReleaseNextcloud].
func (s *Statements) HoldNextcloud(ctx context.Context, user account.ID) error {
	_, err := s.exec(ctx, `UPDATE nextcloud_accounts SET held = TRUE WHERE user_id = $1 AND NOT owned`, string(user))
	if err != nil {
		return fmt.Errorf("hold Nextcloud account: %w", err)
	}
	return nil
}

// HoldAllNextcloud is [Statements.HoldNextcloud] for many users.
func (tx *Tx) HoldAllNextcloud(ctx context.Context, users []account.ID) error {
	rows := make([][]any, len(users))
	for i, id := range users {
		rows[i] = []any{string(id)}
	}
	err := eachChunk(rows, func(_ string, args []any) error {
		_, err := tx.exec(ctx, `UPDATE nextcloud_accounts SET held = TRUE WHERE NOT owned AND user_id IN (`+placeholders(len(args))+`)`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("hold Nextcloud accounts: %w", err)
	}
	return nil
}

// ReleaseNextcloud ends [Statements.HoldNextcloud]: the account is due as usual.
func (s *Statements) ReleaseNextcloud(ctx context.Context, user account.ID) error {
	_, err := s.exec(ctx, `UPDATE nextcloud_accounts SET held = FALSE WHERE user_id = $1 AND held`, string(user))
	if err != nil {
		return fmt.Errorf("release Nextcloud account: %w", err)
	}
	return nil
}

// ReleaseAllNextcloud releases all accounts whose users have a password, when addresses
// need no longer be verified.
func (s *Statements) ReleaseAllNextcloud(ctx context.Context) error {
	_, err := s.changeInBatches(ctx, `UPDATE nextcloud_accounts SET held = FALSE`, `nextcloud_accounts`, `user_id`,
		`held AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = nextcloud_accounts.user_id AND users.password_hash = '')`)
	if err != nil {
		return fmt.Errorf("release all Nextcloud accounts: %w", err)
	}
	return nil
}

// EraseHeldPasswords erases the sealed passwords of accounts that have been held since
// before the given time. The next login after the release supplies them again.
func (s *Statements) EraseHeldPasswords(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.changeInBatches(ctx,
		`UPDATE nextcloud_accounts SET password = NULL, password_set = FALSE, wants_password = TRUE, version = version + 1`,
		`nextcloud_accounts`, `user_id`, `held AND password IS NOT NULL AND created_at < $1`, at(before))
	if err != nil {
		return 0, fmt.Errorf("erase passwords of held accounts: %w", err)
	}
	return n, nil
}
