package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
)

// SecondFactor returns the second factor of the user, enabled or only set up, or
// [mfa.ErrNotSetUp].
func (s *Statements) SecondFactor(ctx context.Context, user account.ID) (mfa.Factor, error) {
	f := mfa.Factor{User: user}
	err := s.queryRow(ctx, mfa.ErrNotSetUp, []any{
		&f.ID, &f.Sealed, nullTimeScanner{&f.EnabledAt}, &f.LastStep, usesScanner{&f.WrongCodes}, timeScanner{&f.CreatedAt},
	}, `
		SELECT f.id, f.secret, users.second_factor_at, f.last_step, f.wrong_codes, f.created_at
		FROM second_factors AS f JOIN users ON users.id = f.user_id WHERE f.user_id = $1`, string(user))
	if err != nil {
		return mfa.Factor{}, fmt.Errorf("second factor: %w", err)
	}
	return f, nil
}

// CountBackupCodes returns how many unused backup codes the user has.
func (s *Statements) CountBackupCodes(ctx context.Context, user account.ID) (int, error) {
	var n int
	err := s.queryRow(ctx, nil, []any{&n}, `SELECT COUNT(*) FROM backup_codes WHERE user_id = $1`, string(user))
	if err != nil {
		return 0, fmt.Errorf("count backup codes: %w", err)
	}
	return n, nil
}

// SetUpSecondFactor stores a factor that is not enabled yet, with the hashes of its
// backup codes, in place of one that was not enabled either. If the account has an
// enabled one, it returns [mfa.ErrAlreadyEnabled]. The times of wrong codes stay.
func (tx *Tx) SetUpSecondFactor(ctx context.Context, by Actor, f mfa.Factor, hashes [][]byte) error {
	if err := by.mayAddCredential(tx, f.User); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `
		INSERT INTO second_factors (user_id, id, secret, created_at)
		SELECT users.id, $2, $3, $4 FROM users WHERE users.id = $1 AND users.second_factor_at IS NULL
		ON CONFLICT (user_id) DO UPDATE SET id = excluded.id, secret = excluded.secret, created_at = excluded.created_at, last_step = 0`,
		string(f.User), string(f.ID), f.Sealed, at(f.CreatedAt))
	if err != nil {
		return fmt.Errorf("set up second factor: %w", err)
	}
	if n == 0 {
		return mfa.ErrAlreadyEnabled
	}
	return tx.ReplaceBackupCodes(ctx, f.User, hashes)
}

// ReplaceBackupCodes replaces the backup codes of the user by those with these
// hashes.
func (tx *Tx) ReplaceBackupCodes(ctx context.Context, user account.ID, hashes [][]byte) error {
	if _, err := tx.exec(ctx, `DELETE FROM backup_codes WHERE user_id = $1`, string(user)); err != nil {
		return fmt.Errorf("delete backup codes: %w", err)
	}
	for _, hash := range hashes {
		if _, err := tx.exec(ctx, `INSERT INTO backup_codes (user_id, hash) VALUES ($1, $2)`, string(user), hash); err != nil {
			return fmt.Errorf("add backup code: %w", err)
		}
	}
	return nil
}

// EnableSecondFactor makes logins require f, which the user has set up. It returns
// [mfa.ErrAlreadyEnabled] if they do already.
func (tx *Tx) EnableSecondFactor(ctx context.Context, by Actor, f mfa.Factor, now time.Time) error {
	if by.tx != tx || by.proof.User() != f.User {
		return errUnauthorized
	}
	n, err := tx.exec(ctx, `
		UPDATE users SET second_factor_at = $3 WHERE id = $1 AND second_factor_at IS NULL
			AND EXISTS (SELECT 1 FROM second_factors WHERE user_id = $1 AND id = $2)`,
		string(f.User), string(f.ID), at(now))
	if err != nil {
		return fmt.Errorf("enable second factor: %w", err)
	}
	if n == 0 {
		return mfa.ErrAlreadyEnabled
	}
	return nil
}

// RemoveSecondFactor deletes the second factor of the account with its backup codes
// and answered challenges, and reports whether it was enabled. Owners must have
// proved what [Actor.mayTakeOver] says.
func (tx *Tx) RemoveSecondFactor(ctx context.Context, by Actor, id account.ID) (enabled bool, err error) {
	if err := by.mayTakeOver(tx, id); err != nil {
		return false, err
	}
	n, err := tx.exec(ctx, `UPDATE users SET second_factor_at = NULL WHERE id = $1 AND second_factor_at IS NOT NULL`, string(id))
	if err != nil {
		return false, fmt.Errorf("disable second factor: %w", err)
	}
	if _, err := tx.exec(ctx, `DELETE FROM second_factors WHERE user_id = $1`, string(id)); err != nil {
		return false, fmt.Errorf("delete second factor: %w", err)
	}
	return n > 0, nil
}

// TakeStep records that a code of the time step was accepted, and reports whether
// none of that or of a later step was accepted before. Of several concurrent calls
// with the same step, exactly one reports true.
func (tx *Tx) TakeStep(ctx context.Context, f mfa.Factor, step int64) (bool, error) {
	n, err := tx.exec(ctx, `
		UPDATE second_factors SET last_step = $3
		WHERE user_id = $1 AND id = $2 AND `+defense.SQL(defense.CodeReplay, `last_step < $3`), string(f.User), string(f.ID), step)
	if err != nil {
		return false, fmt.Errorf("take time step: %w", err)
	}
	return n > 0, nil
}

// TakeBackupCode deletes the backup code with the hash, and reports whether there
// was one. Of several concurrent calls with the same hash, exactly one reports true.
func (tx *Tx) TakeBackupCode(ctx context.Context, f mfa.Factor, hash []byte) (bool, error) {
	n, err := tx.exec(ctx, `DELETE FROM backup_codes WHERE user_id = $1 AND hash = $2`, string(f.User), hash)
	if err != nil {
		return false, fmt.Errorf("take backup code: %w", err)
	}
	return n > 0, nil
}

// RecordWrongCode records that a wrong code of f came at now. It returns
// [mfa.ErrTooManyCodes] if [mfa.MaxWrongCodes] came before, within
// [mfa.WrongCodeWindow].
func (tx *Tx) RecordWrongCode(ctx context.Context, f mfa.Factor, now time.Time) error {
	n, err := tx.exec(ctx, `
		UPDATE second_factors SET wrong_codes = substr($2 || wrong_codes, 1, $3)
		WHERE user_id = $1 AND `+defense.SQL(defense.WrongCodeLimit, `(length(wrong_codes) < $3 OR substr(wrong_codes, $4) <= $5)`),
		string(f.User), formatUse(at(now)), mfa.MaxWrongCodes*useSize, (mfa.MaxWrongCodes-1)*useSize+1,
		formatUse(at(now.Add(-mfa.WrongCodeWindow))))
	if err != nil {
		return fmt.Errorf("record wrong code: %w", err)
	}
	if n == 0 {
		return mfa.ErrTooManyCodes.After(max(f.Wait(now), time.Second))
	}
	return nil
}

// TryChallenge counts a code that answers the challenge. It returns
// [mfa.ErrChallengeExpired] after [mfa.MaxTries] codes, or once a login has begun.
func (tx *Tx) TryChallenge(ctx context.Context, c mfa.Challenge) error {
	n, err := tx.exec(ctx, `
		INSERT INTO login_challenges (id, user_id, tries, expires_at) SELECT $1, users.id, 1, $3 FROM users WHERE users.id = $2
		ON CONFLICT (id) DO UPDATE SET tries = login_challenges.tries + 1
		WHERE `+defense.SQL(defense.ChallengeOnce, `login_challenges.tries < $4 AND NOT login_challenges.spent`),
		string(c.ID), string(c.User), at(c.ExpiresAt), mfa.MaxTries)
	if err != nil {
		return fmt.Errorf("try challenge: %w", err)
	}
	if n == 0 {
		return mfa.ErrChallengeExpired
	}
	return nil
}

// SpendChallenge records that a login began with the challenge. Of several
// concurrent calls for the same one, exactly one succeeds; the others get
// [mfa.ErrChallengeExpired].
func (tx *Tx) SpendChallenge(ctx context.Context, c mfa.Challenge) error {
	n, err := tx.exec(ctx, `UPDATE login_challenges SET spent = TRUE WHERE id = $1 AND `+
		defense.SQL(defense.ChallengeOnce, `NOT spent`), string(c.ID))
	if err != nil {
		return fmt.Errorf("spend challenge: %w", err)
	}
	if n == 0 {
		return mfa.ErrChallengeExpired
	}
	return nil
}

// DeleteExpiredChallenges deletes the challenges that expired before the given time.
// They are rejected because of their expiry, so nothing refers to their rows.
func (db *DB) DeleteExpiredChallenges(ctx context.Context, before time.Time) error {
	if _, err := db.deleteInBatches(ctx, `login_challenges`, `expires_at < $1`, at(before)); err != nil {
		return fmt.Errorf("delete expired challenges: %w", err)
	}
	return nil
}
