package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// BeginClaimAttempt records that the caller is about to try a password on an account
// in Nextcloud. If there were too many attempts lately, it records nothing and
// returns how long to wait. Concurrent calls cannot exceed the limits.
func (tx *Tx) BeginClaimAttempt(ctx context.Context, by Actor, c desired.ClaimAttempt) (wait time.Duration, err error) {
	if err := by.mayChange(tx, c.UserID); err != nil {
		return 0, err
	}
	earlier, err := tx.ClaimAttempts(ctx, c.At)
	if err != nil {
		return 0, err
	}
	if wait = desired.ClaimWait(c, earlier); wait > 0 {
		return wait, nil
	}
	_, err = tx.exec(ctx, `DELETE FROM nextcloud_claim_tries WHERE tried_at <= $1`, at(c.At.Add(-desired.AttemptsPerAccountWindow)))
	if err == nil {
		_, err = tx.exec(ctx, `
			INSERT INTO nextcloud_claim_tries (id, user_id, nextcloud_id, refused, tried_at) VALUES ($1, $2, $3, $4, $5)`,
			c.ID, string(c.UserID), strings.ToLower(c.NextcloudID), c.Refused, at(c.At))
	}
	if err != nil {
		return 0, fmt.Errorf("begin claim attempt: %w", err)
	}
	return 0, nil
}

// ClaimAttempts returns the attempts that still count at the given time.
func (s *Statements) ClaimAttempts(ctx context.Context, now time.Time) ([]desired.ClaimAttempt, error) {
	var list []desired.ClaimAttempt
	err := queryList(ctx, s, &list, func(row scanner) error {
		var t desired.ClaimAttempt
		if err := row.Scan(&t.ID, &t.UserID, &t.NextcloudID, &t.Refused, timeScanner{&t.At}); err != nil {
			return err
		}
		list = append(list, t)
		return nil
	}, `SELECT id, user_id, nextcloud_id, refused, tried_at FROM nextcloud_claim_tries WHERE tried_at > $1`,
		at(now.Add(-desired.AttemptsPerAccountWindow)))
	if err != nil {
		return nil, fmt.Errorf("claim attempts: %w", err)
	}
	return list, nil
}

// DeleteClaimAttempt deletes an attempt whose password was right or was never sent.
func (s *Statements) DeleteClaimAttempt(ctx context.Context, id string) error {
	if _, err := s.exec(ctx, `DELETE FROM nextcloud_claim_tries WHERE id = $1`, id); err != nil {
		return fmt.Errorf("delete claim attempt: %w", err)
	}
	return nil
}

// MarkClaimAttemptLost records that the response to an attempt was lost: it counts
// towards the limit of all users, and not towards those of the user and the account.
func (s *Statements) MarkClaimAttemptLost(ctx context.Context, id string) error {
	if _, err := s.exec(ctx, `UPDATE nextcloud_claim_tries SET refused = FALSE WHERE id = $1`, id); err != nil {
		return fmt.Errorf("mark claim attempt as lost: %w", err)
	}
	return nil
}
