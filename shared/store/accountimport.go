package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// maxRows is how many rows one statement of an import inserts. 64 rows of the widest
// table have fewer parameters than SQLite accepts.
const maxRows = 64

// A HashedAccount is an account with its password hash; "" for none.
type HashedAccount struct {
	account.Account

	Hash secret.String
}

// CreateAccounts inserts the accounts of list whose addresses are free, and returns the
// ids of these. Of accounts with the same address, the first is inserted; so is the
// first of concurrent calls. Call [DB.CanonicalizeEmails] before.
func (tx *Tx) CreateAccounts(ctx context.Context, list []HashedAccount) (map[account.ID]bool, error) {
	rows := make([][]any, len(list))
	for i, a := range list {
		rows[i] = accountRow(a.Account, a.Hash)
	}
	created := make(map[account.ID]bool, len(list))
	err := eachChunk(rows, func(values string, args []any) error {
		return tx.query(ctx, func(row scanner) error {
			var id account.ID
			err := row.Scan(&id)
			created[id] = true
			return err
		}, insertUsers+values+` ON CONFLICT DO NOTHING RETURNING id`, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("create accounts: %w", err)
	}
	var keys [][]any
	for _, a := range list {
		if created[a.ID] {
			for _, key := range account.SearchKeys(a.Email, a.FullName) {
				keys = append(keys, []any{string(a.ID), []byte(key)})
			}
		}
	}
	if err := tx.insertRows(ctx, `INSERT INTO search_keys (user_id, key) VALUES `, keys); err != nil {
		return nil, fmt.Errorf("insert search keys: %w", err)
	}
	return created, nil
}

// TakenEmails returns those of the addresses that accounts have.
func (s *Statements) TakenEmails(ctx context.Context, emails []account.Email) (map[account.Email]bool, error) {
	rows := make([][]any, len(emails))
	for i, e := range emails {
		rows[i] = []any{string(e)}
	}
	taken := map[account.Email]bool{}
	err := eachChunk(rows, func(values string, args []any) error {
		return s.query(ctx, func(row scanner) error {
			var e account.Email
			err := row.Scan(&e)
			taken[e] = true
			return err
		}, `SELECT canonical_email FROM users WHERE canonical_email IN (`+placeholders(len(args))+`)`, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("taken addresses: %w", err)
	}
	return taken, nil
}

// AccountsAndHashes returns up to n accounts after the id, in the order of ids, with their
// password hashes, for an export.
func (s *Statements) AccountsAndHashes(ctx context.Context, after account.ID, n int) ([]HashedAccount, error) {
	if after == "" {
		after = oldest
	}
	list := make([]HashedAccount, 0, n)
	err := queryList(ctx, s, &list, func(row scanner) error {
		var a HashedAccount
		var hash string
		if err := row.Scan(append(accountDest(&a.Account), &hash)...); err != nil {
			return err
		}
		a.Hash = secret.String(hash)
		list = append(list, a)
		return nil
	}, `SELECT `+accountColumns+`, users.password_hash FROM users WHERE users.id > $1 ORDER BY users.id LIMIT $2`, string(after), n)
	if err != nil {
		return nil, fmt.Errorf("accounts and hashes: %w", err)
	}
	return list, nil
}

// CreateNextcloudDesired stores the desired states of new users, as
// [Statements.SetNextcloudDesired] does for one. An id that another row has is replaced
// by the id of the user.
func (tx *Tx) CreateNextcloudDesired(ctx context.Context, list []desired.Account, now time.Time) error {
	const free = `CASE WHEN EXISTS (SELECT 1 FROM nextcloud_accounts WHERE nextcloud_id = ?) THEN ? ELSE ? END`
	rows := make([][]any, len(list))
	for i, n := range list {
		rows[i] = []any{
			string(n.UserID), expression{free, []any{n.NextcloudID, string(n.UserID), n.NextcloudID}}, string(n.State), string(n.Email), n.FullName, n.Quota,
			bytesOrNull(n.PendingPassword), n.InitialPassword, n.WantsPassword, at(now), at(now), at(now),
			1, false, string(desired.Pending), 0, "", false,
		}
	}
	err := tx.insertRows(ctx, `
		INSERT INTO nextcloud_accounts (user_id, nextcloud_id, wish, email, full_name, quota,
			password, first_password, wants_password, due_at, created_at, updated_at,
			version, owned, status, attempts, last_error, create_tried) VALUES `, rows)
	if err != nil {
		return fmt.Errorf("desired states of Nextcloud accounts: %w", err)
	}
	return nil
}

// AuditAll is [Statements.Audit] for many events.
func (tx *Tx) AuditAll(ctx context.Context, events []audit.Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = eventRow(e)
	}
	if err := tx.insertRows(ctx, insertEvents, rows); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for _, e := range events {
		tx.audited(ctx, e)
	}
	return nil
}

// insertRows inserts rows; start is the statement up to VALUES.
func (tx *Tx) insertRows(ctx context.Context, start string, rows [][]any) error {
	return eachChunk(rows, func(values string, args []any) error {
		_, err := tx.exec(ctx, start+values, args...)
		return err
	})
}

// An expression stands for a value of a row. Each ? of the text is an argument.
type expression struct {
	text string
	args []any
}

// eachChunk calls fn with the placeholders and the arguments of up to maxRows rows at a
// time, until it was called with all. The numbers of rows are powers of two, so that
// there are few statements to prepare.
func eachChunk(rows [][]any, fn func(values string, args []any) error) error {
	for size := maxRows; len(rows) > 0; {
		for size > len(rows) {
			size /= 2
		}
		values, args := bindRows(rows[:size])
		if err := fn(values, args); err != nil {
			return err
		}
		rows = rows[size:]
	}
	return nil
}

// bindRows returns rows of placeholders, "($1, $2), ($3, $4)", and their arguments.
func bindRows(rows [][]any) (values string, args []any) {
	var text strings.Builder
	bind := func(arg any) {
		args = append(args, arg)
		fmt.Fprintf(&text, "$%d", len(args))
	}
	for i, row := range rows {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteByte('(')
		for j, value := range row {
			if j > 0 {
				text.WriteString(", ")
			}
			e, ok := value.(expression)
			if !ok {
				bind(value)
				continue
			}
			parts := strings.Split(e.text, "?")
			text.WriteString(parts[0])
			for k, arg := range e.args {
				bind(arg)
				text.WriteString(parts[k+1])
			}
		}
		text.WriteByte(')')
	}
	return text.String(), args
}
