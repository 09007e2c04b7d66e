package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// BeginClaimAttempt notes a password that is about to be tried at an account in
// Nextcloud by the caller. Where too many were tried lately, it notes nothing and
// returns how long to wait. Of concurrent calls no more pass than may.
func (tx *Tx) BeginClaimAttempt(ctx context.Context, by Actor, try desired.ClaimAttempt) (wait time.Duration, err error) {
	if err := by.mayChange(tx, try.UserID); err != nil {
		return 0, err
	}
	earlier, err := tx.ClaimAttempts(ctx, try.At)
	if err != nil {
		return 0, err
	}
	if wait = desired.ClaimWait(try, earlier); wait > 0 {
		return wait, nil
	}
	_, err = tx.exec(ctx, `DELETE FROM nextcloud_claim_tries WHERE tried_at <= $1`, at(try.At.Add(-desired.AttemptsPerAccountWindow)))
	if err == nil {
		_, err = tx.exec(ctx, `
			INSERT INTO nextcloud_claim_tries (id, user_id, nextcloud_id, refused, tried_at) VALUES ($1, $2, $3, $4, $5)`,
			try.ID, string(try.UserID), strings.ToLower(try.NextcloudID), try.Refused, at(try.At))
	}
	if err != nil {
		return 0, fmt.Errorf("begin claim: %w", err)
	}
	return 0, nil
}

// ClaimAttempts returns the tries that still count at the time given.
func (s *Statements) ClaimAttempts(ctx context.Context, now time.Time) ([]desired.ClaimAttempt, error) {
	var list []desired.ClaimAttempt
	err := s.query(ctx, func(row scanner) error {
		var t desired.ClaimAttempt
		if err := row.Scan(&t.ID, &t.UserID, &t.NextcloudID, &t.Refused, timeScanner{&t.At}); err != nil {
			return err
		}
		list = append(list, t)
		return nil
	}, `SELECT id, user_id, nextcloud_id, refused, tried_at FROM nextcloud_claim_tries WHERE tried_at > $1`,
		at(now.Add(-desired.AttemptsPerAccountWindow)))
	if err != nil {
		return nil, fmt.Errorf("tries of claims: %w", err)
	}
	return list, nil
}

// DeleteClaimAttempt forgets a try whose password was right, or that was not made.
func (s *Statements) DeleteClaimAttempt(ctx context.Context, try string) error {
	if _, err := s.exec(ctx, `DELETE FROM nextcloud_claim_tries WHERE id = $1`, try); err != nil {
		return fmt.Errorf("forget claim: %w", err)
	}
	return nil
}

// MarkClaimAttemptLost notes that the answer to a try was lost: it counts against all users
// together, and not against its own.
func (s *Statements) MarkClaimAttemptLost(ctx context.Context, try string) error {
	if _, err := s.exec(ctx, `UPDATE nextcloud_claim_tries SET refused = FALSE WHERE id = $1`, try); err != nil {
		return fmt.Errorf("lose claim: %w", err)
	}
	return nil
}
