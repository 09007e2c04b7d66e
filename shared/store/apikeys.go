package store

import (
	"context"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
)

const keyColumns = `api_keys.id, api_keys.user_id, api_keys.name, api_keys.prefix, api_keys.scopes,
	api_keys.created_at, api_keys.expires_at, api_keys.last_used_at`

func keyDest(k *apikey.Key) []any {
	return []any{
		&k.ID, &k.UserID, &k.Name, &k.Prefix, scopesScanner{&k.Scopes},
		timeScanner{&k.CreatedAt}, nullTimeScanner{&k.ExpiresAt}, nullTimeScanner{&k.LastUsed},
	}
}

// scopesScanner scans the column scopes.
type scopesScanner struct{ to *apikey.Scopes }

func (s scopesScanner) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("scan %T as scopes", value)
	}
	*s.to = apikey.ScopesOf(text)
	return nil
}

// APIKey returns the key with the digest and its account, or [apikey.ErrInvalid] if
// there is none or the account is disabled. It also returns expired keys, so that
// their users get to know why they do not work.
func (s *Statements) APIKey(ctx context.Context, digest apikey.Digest) (apikey.Key, account.Account, error) {
	var k apikey.Key
	var a account.Account
	err := s.queryRow(ctx, apikey.ErrInvalid, append(keyDest(&k), accountDest(&a)...), `
		SELECT `+keyColumns+`, `+accountColumns+`
		FROM api_keys JOIN users ON users.id = api_keys.user_id
		WHERE api_keys.digest = $1 AND `+defense.SQL(defense.LiveLogin, `users.disabled_at IS NULL`), digest[:])
	if err != nil {
		return apikey.Key{}, account.Account{}, fmt.Errorf("API key: %w", err)
	}
	return k, a, nil
}

// RecordKeyUse records that a key was used at now, unless a use within the last
// [apikey.UseEvery] is recorded. So concurrent requests write once.
func (s *Statements) RecordKeyUse(ctx context.Context, id apikey.ID, now time.Time) error {
	_, err := s.exec(ctx, `
		UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)`,
		string(id), at(now), at(now.Add(-apikey.UseEvery)))
	if err != nil {
		return fmt.Errorf("record the use of an API key: %w", err)
	}
	return nil
}

// APIKeys returns the keys of the user, newest first. There are at most
// [apikey.MaxPerUser].
func (s *Statements) APIKeys(ctx context.Context, user account.ID) ([]apikey.Key, error) {
	list := []apikey.Key{}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var k apikey.Key
		if err := row.Scan(keyDest(&k)...); err != nil {
			return err
		}
		list = append(list, k)
		return nil
	}, `SELECT `+keyColumns+` FROM api_keys WHERE user_id = $1 ORDER BY id DESC`, string(user))
	if err != nil {
		return nil, fmt.Errorf("API keys: %w", err)
	}
	return list, nil
}

// CreateAPIKey inserts a key of the caller, who must have proved
// the password now or a moment ago, or returns [apikey.ErrTooMany]. Since the transaction locks the
// caller's account, concurrent calls count one after the other.
func (tx *Tx) CreateAPIKey(ctx context.Context, by Actor, k apikey.Key, digest apikey.Digest) error {
	if err := by.mayAddCredential(tx, k.UserID); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `
		INSERT INTO api_keys (id, user_id, digest, prefix, name, scopes, created_at, expires_at)
		SELECT $1, users.id, $3, $4, $5, $6, $7, $8 FROM users
		WHERE users.id = $2 AND (SELECT COUNT(*) FROM api_keys WHERE user_id = users.id) < $9`,
		string(k.ID), string(k.UserID), digest[:], k.Prefix, k.Name, k.Scopes.String(),
		at(k.CreatedAt), atOrNull(k.ExpiresAt), apikey.MaxPerUser)
	if err != nil {
		return fmt.Errorf("create API key: %w", err)
	}
	if n == 0 {
		return apikey.ErrTooMany
	}
	return nil
}

// DeleteAPIKey deletes a key of the user, or returns [apikey.ErrNotFound].
func (tx *Tx) DeleteAPIKey(ctx context.Context, by Actor, user account.ID, id apikey.ID) error {
	if err := by.mayChange(tx, user); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `DELETE FROM api_keys WHERE id = $1 AND `+defense.SQL(defense.OwnersOnly, `user_id = $2`), string(id), string(user))
	if err != nil {
		return fmt.Errorf("delete API key: %w", err)
	}
	if n == 0 {
		return apikey.ErrNotFound
	}
	return nil
}

// RevokeAPIKeys deletes all keys of the user and returns their number.
func (tx *Tx) RevokeAPIKeys(ctx context.Context, by Actor, user account.ID) (int64, error) {
	if err := by.mayChange(tx, user); err != nil {
		return 0, err
	}
	n, err := tx.exec(ctx, `DELETE FROM api_keys WHERE user_id = $1`, string(user))
	if err != nil {
		return 0, fmt.Errorf("revoke API keys: %w", err)
	}
	return n, nil
}
