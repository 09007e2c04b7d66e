package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

const appPasswordColumns = `id, user_id, name, app_password, created_at`

func appPasswordDest(a *desired.AppPassword) []any {
	return []any{&a.ID, &a.UserID, &a.Name, &a.Sealed, timeScanner{&a.CreatedAt}}
}

// AddAppPassword stores an app password. Its owner must have confirmed their
// password.
func (tx *Tx) AddAppPassword(ctx context.Context, by Actor, a desired.AppPassword) error {
	if err := by.mayTakeOver(tx, a.UserID); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `
		INSERT INTO nextcloud_app_passwords (`+appPasswordColumns+`) VALUES ($1, $2, $3, $4, $5)`,
		string(a.ID), string(a.UserID), a.Name, a.Sealed, at(a.CreatedAt))
	if err != nil {
		return fmt.Errorf("add app password: %w", err)
	}
	return nil
}

// AppPasswordsHeld returns how many app passwords of the user can be valid in
// Nextcloud, including those that are still to be revoked.
func (s *Statements) AppPasswordsHeld(ctx context.Context, user account.ID) (int, error) {
	var n int
	err := s.queryRow(ctx, nil, []any{&n}, `
		SELECT (SELECT COUNT(*) FROM nextcloud_app_passwords WHERE user_id = $1)
			+ (SELECT COUNT(*) FROM nextcloud_revocations WHERE user_id = $1 AND state <> 'refused')`, string(user))
	if err != nil {
		return 0, fmt.Errorf("count app passwords: %w", err)
	}
	return n, nil
}

// AppPasswords returns the user's app passwords, newest first.
func (s *Statements) AppPasswords(ctx context.Context, user account.ID) ([]desired.AppPassword, error) {
	list := []desired.AppPassword{}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var a desired.AppPassword
		if err := row.Scan(appPasswordDest(&a)...); err != nil {
			return err
		}
		list = append(list, a)
		return nil
	}, `SELECT `+appPasswordColumns+` FROM nextcloud_app_passwords WHERE user_id = $1 ORDER BY id DESC`, string(user))
	if err != nil {
		return nil, fmt.Errorf("app passwords: %w", err)
	}
	return list, nil
}

// AppPassword returns one of the user's app passwords, or [uid.ErrUnknown].
func (s *Statements) AppPassword(ctx context.Context, user account.ID, id desired.AppPasswordID) (desired.AppPassword, error) {
	var a desired.AppPassword
	err := s.queryRow(ctx, uid.ErrUnknown, appPasswordDest(&a), `
		SELECT `+appPasswordColumns+` FROM nextcloud_app_passwords WHERE id = $2 AND `+defense.SQL(defense.OwnersOnly, `user_id = $1`),
		string(user), string(id))
	if err != nil {
		return desired.AppPassword{}, fmt.Errorf("app password: %w", err)
	}
	return a, nil
}

// RemoveAppPassword deletes one of the user's app passwords. It is no error if that
// does not exist.
func (s *Statements) RemoveAppPassword(ctx context.Context, user account.ID, id desired.AppPasswordID) error {
	_, err := s.exec(ctx, `DELETE FROM nextcloud_app_passwords WHERE user_id = $1 AND id = $2`, string(user), string(id))
	if err != nil {
		return fmt.Errorf("remove app password: %w", err)
	}
	return nil
}

// DiscardNextcloudAppPassword discards the gateway's app password after Nextcloud
// has rejected it, and makes the account due. app is the sealed value that was used:
// one that has replaced it meanwhile stays.
func (s *Statements) DiscardNextcloudAppPassword(ctx context.Context, user account.ID, app []byte, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET app_password = NULL, version = version + 1, attempts = 0, due_at = $3,
			updated_at = $3
		WHERE user_id = $1 AND app_password = $2`, string(user), app, at(now))
	if err != nil {
		return fmt.Errorf("discard app password: %w", err)
	}
	return nil
}

// RecheckNextcloudUser makes a settled account due now, after a request has found
// that it does not agree with its desired state.
func (s *Statements) RecheckNextcloudUser(ctx context.Context, user account.ID, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET due_at = $2
		WHERE user_id = $1 AND status = 'active' AND due_at IS NULL`, string(user), at(now))
	if err != nil {
		return fmt.Errorf("recheck Nextcloud account: %w", err)
	}
	return nil
}
