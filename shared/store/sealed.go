package store

import (
	"context"
	"fmt"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// A SealedColumn is a column with values that are encrypted with a key of the
// gateway.
type SealedColumn struct{ table, id, column, purpose string }

// Purpose returns the purpose for which the keys of the values are derived.
func (c SealedColumn) Purpose() string { return c.purpose }

// SealedColumns returns all of them. Their values are bound to the id of the
// user.
func SealedColumns() []SealedColumn {
	return []SealedColumn{
		{"nextcloud_accounts", "user_id", "first_password", desired.Purpose},
		{"nextcloud_accounts", "user_id", "password", desired.Purpose},
		{"nextcloud_accounts", "user_id", "app_password", desired.Purpose},
		{"nextcloud_app_passwords", "id", "app_password", desired.Purpose},
		{"nextcloud_revocations", "id", "app_password", desired.Purpose},
		{"second_factors", "user_id", "secret", mfa.Purpose},
	}
}

// A SealedValue is an encrypted value of a [SealedColumn].
type SealedValue struct {
	ID    string
	Owner account.ID
	Box   []byte
}

// SealedValues returns the values behind the one with the id after, at most
// limit, in the order of their ids; the first ones where after is "". What is used up, as [desired.Spent], is none.
func (s *Statements) SealedValues(ctx context.Context, in SealedColumn, after string, limit int) ([]SealedValue, error) {
	var list []SealedValue
	where, args := "", []any{limit}
	if after != "" { // which is no id of PostgreSQL's
		where, args = ` AND `+in.id+` > $2`, append(args, after)
	}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var v SealedValue
		if err := row.Scan(&v.ID, &v.Owner, &v.Box); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	}, `SELECT `+in.id+`, user_id, `+in.column+` FROM `+in.table+`
		WHERE LENGTH(`+in.column+`) > `+fmt.Sprint(len(desired.Spent))+where+` ORDER BY `+in.id+` LIMIT $1`, args...)
	if err != nil {
		return nil, fmt.Errorf("sealed values: %w", err)
	}
	return list, nil
}

// ReplaceSealed puts box in place of v, unless that has changed meanwhile, and
// reports whether it did.
func (s *Statements) ReplaceSealed(ctx context.Context, in SealedColumn, v SealedValue, box []byte) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE `+in.table+` SET `+in.column+` = $3 WHERE `+in.id+` = $1 AND `+in.column+` = $2`, v.ID, v.Box, box)
	if err != nil {
		return false, fmt.Errorf("replace sealed value: %w", err)
	}
	return n > 0, nil
}
