package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// RevokeAppPasswords turns all app passwords of the user into revocations, makes the
// account due, and returns their number.
func (tx *Tx) RevokeAppPasswords(ctx context.Context, user account.ID, now time.Time) (int64, error) {
	n, err := tx.moveAppPasswords(ctx, user, "", desired.RevocationPending, now)
	if err != nil || n == 0 {
		return 0, err
	}
	return n, tx.makeDue(ctx, user, now)
}

// RefuseAppPassword turns an app password that Nextcloud refuses into a
// revocation that was refused.
func (tx *Tx) RefuseAppPassword(ctx context.Context, user account.ID, id desired.AppPasswordID, now time.Time) error {
	_, err := tx.moveAppPasswords(ctx, user, id, desired.RevocationRefused, now)
	return err
}

// moveAppPasswords turns the user's app passwords, or the one with that id, into
// revocations. Without an account in Nextcloud there is nothing to revoke.
func (tx *Tx) moveAppPasswords(
	ctx context.Context, user account.ID, id desired.AppPasswordID, state desired.RevocationState, now time.Time,
) (int64, error) {
	which, args := `a.user_id = $1`, []any{string(user)}
	if id != "" {
		which, args = which+` AND a.id = $2`, append(args, string(id))
	}
	state1, at1 := len(args)+1, len(args)+2
	n, err := tx.exec(ctx, fmt.Sprintf(`
		INSERT INTO nextcloud_revocations (id, user_id, app_password, state, revoked_at)
		SELECT a.id, a.user_id, a.app_password, $%d, $%d FROM nextcloud_app_passwords a
		JOIN nextcloud_accounts n ON n.user_id = a.user_id WHERE `, state1, at1)+which,
		append(args, string(state), at(now))...)
	if err == nil {
		_, err = tx.exec(ctx, `DELETE FROM nextcloud_app_passwords AS a WHERE `+which, args...)
	}
	if err != nil {
		return 0, fmt.Errorf("revoke app passwords: %w", err)
	}
	return n, nil
}

// makeDue makes the account due now, even if it has failed or an attempt is in
// progress.
func (s *Statements) makeDue(ctx context.Context, user account.ID, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE nextcloud_accounts SET status = 'pending', version = version + 1, attempts = 0, due_at = $2, updated_at = $2
		WHERE user_id = $1 AND (status <> 'conflict' OR owned)`, string(user), at(now))
	if err != nil {
		return fmt.Errorf("make Nextcloud account due: %w", err)
	}
	return nil
}

// Revocations returns the user's revocations that are not carried out, oldest app
// password first.
func (s *Statements) Revocations(ctx context.Context, user account.ID) ([]desired.Revocation, error) {
	var list []desired.Revocation
	err := queryList(ctx, s, &list, func(row scanner) error {
		var r desired.Revocation
		if err := row.Scan(&r.ID, &r.Sealed, &r.State); err != nil {
			return err
		}
		list = append(list, r)
		return nil
	}, `SELECT id, app_password, state FROM nextcloud_revocations WHERE user_id = $1 ORDER BY id`, string(user))
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	return list, nil
}

// EndRevocation deletes a revocation that was carried out. It is no error if that
// does not exist.
func (s *Statements) EndRevocation(ctx context.Context, id desired.AppPasswordID) error {
	if _, err := s.exec(ctx, `DELETE FROM nextcloud_revocations WHERE id = $1`, string(id)); err != nil {
		return fmt.Errorf("end revocation: %w", err)
	}
	return nil
}

// RefuseRevocation records that Nextcloud rejects the app password.
func (s *Statements) RefuseRevocation(ctx context.Context, id desired.AppPasswordID) error {
	_, err := s.exec(ctx, `UPDATE nextcloud_revocations SET state = 'refused' WHERE id = $1`, string(id))
	if err != nil {
		return fmt.Errorf("refuse revocation: %w", err)
	}
	return nil
}

// RetryRevocations makes the user's rejected revocations due again after a login to
// Nextcloud, and reports whether there are any.
func (tx *Tx) RetryRevocations(ctx context.Context, user account.ID, now time.Time) (bool, error) {
	n, err := tx.exec(ctx, `
		UPDATE nextcloud_revocations SET state = 'retried' WHERE user_id = $1 AND state = 'refused'`, string(user))
	if err != nil {
		return false, fmt.Errorf("retry revocations: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	return true, tx.makeDue(ctx, user, now)
}
