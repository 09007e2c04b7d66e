package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// A Found account matches a search.
type Found struct {
	account.Account

	Key string // the first of its search keys that match
}

// SearchAccounts returns a page of the accounts that have a search key with the
// prefix, see [account.SearchKeys], in the order of these keys. prefix must be the
// result of [account.SearchPrefix], and not "". [Page.Key] is the key of the last
// account of the previous page.
//
// An index has the keys in the order of their bytes, so the cost depends neither on
// the number of accounts nor on how many match.
func (s *Statements) SearchAccounts(ctx context.Context, prefix string, p Page) ([]Found, error) {
	list := make([]Found, 0, p.Limit)
	from, after := max(p.Key, prefix), p.Before
	if p.Key < prefix {
		after = ""
	}
	if after == "" {
		after = oldest
	}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var f Found
		var key []byte
		if err := row.Scan(append(accountDest(&f.Account), &key)...); err != nil {
			return err
		}
		f.Key = string(key)
		list = append(list, f)
		return nil
	}, `
		SELECT `+accountColumns+`, page.key FROM (
			SELECT user_id, key, SUM(size) OVER (ORDER BY key, user_id) - size AS before FROM (
				SELECT found.user_id, found.key, octet_length(users.preferences) AS size
				FROM search_keys AS found JOIN users ON users.id = found.user_id
				WHERE (found.key, found.user_id) > ($1, $2) AND found.key < $3
					AND NOT EXISTS (SELECT 1 FROM search_keys AS earlier
						WHERE earlier.user_id = found.user_id AND earlier.key >= $4 AND earlier.key < found.key)
				ORDER BY found.key, found.user_id LIMIT $5 OFFSET $6) AS asked) AS page
		JOIN users ON users.id = page.user_id
		WHERE page.before < $7 ORDER BY page.key, page.user_id`,
		[]byte(from), after, prefixEnd(prefix), []byte(prefix), p.Limit, p.Skip, p.bytes())
	if err != nil {
		return nil, fmt.Errorf("search accounts: %w", err)
	}
	return list, nil
}

// prefixEnd returns the first text that sorts after all texts with the prefix, in
// the order of bytes. UTF-8 has no byte 0xff.
func prefixEnd(prefix string) []byte {
	end := []byte(prefix)
	end[len(end)-1]++
	return end
}

// searchText returns the text that [Statements.SearchAccounts] searches. users.search
// has it, and users.indexed_search what it was when the keys of the account were made.
// Releases before the keys write users.search only, so the two differ then.
func searchText(email account.Email, name string) string {
	text := account.Fold(string(email) + " " + name)
	if ascii := email.ASCII(); ascii != string(email) {
		text += " " + ascii
	}
	return text
}

// changedSearchText returns the text of a, and whether that of the account differed
// before, so that its search keys must be replaced.
func changedSearchText(was, a account.Account) (text string, changed bool) {
	text = searchText(a.Email, a.FullName)
	return text, text != searchText(was.Email, was.FullName)
}

// searchKeys returns the search keys of a, by its id.
func searchKeys(a account.Account) map[account.ID][]string {
	return map[account.ID][]string{a.ID: account.SearchKeys(a.Email, a.FullName)}
}

// indexBatch is how many accounts one transaction indexes. On SQLite, other writes
// wait for it.
const indexBatch = 200

// IndexAccounts gives search keys to all accounts that lack them: those that older
// releases have written. Concurrent calls index different accounts, and the next call
// continues one that was interrupted. Call it after [DB.CanonicalizeEmails], which
// changes what is searched.
func (db *DB) IndexAccounts(ctx context.Context) error {
	for after := oldest; after != ""; {
		var err error
		if after, err = db.indexAccounts(ctx, after); err != nil {
			return fmt.Errorf("index accounts: %w", err)
		}
	}
	return nil
}

// indexAccounts indexes a batch of the accounts after the given id, and returns the
// last id of the batch, or "" if there were none. The update locks the accounts, so
// their keys are those of their last change.
func (db *DB) indexAccounts(ctx context.Context, after string) (last string, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		last = ""
		keys := map[account.ID][]string{}
		err := tx.query(ctx, func(row scanner) error {
			var id account.ID
			var email account.Email
			var name string
			if err := row.Scan(&id, &email, &name); err != nil {
				return err
			}
			keys[id], last = account.SearchKeys(email, name), max(last, string(id))
			return nil
		}, `
			WITH lacking AS MATERIALIZED (
				SELECT id FROM users WHERE indexed_search IS DISTINCT FROM search AND id > $1
				ORDER BY id LIMIT $2`+tx.dialect.SkipLocked+`)
			UPDATE users SET indexed_search = search WHERE id IN (SELECT id FROM lacking)
			RETURNING id, `+accountEmail+`, full_name`, after, indexBatch)
		if err != nil || len(keys) == 0 {
			return err
		}
		return tx.replaceSearchKeys(ctx, keys)
	})
	return last, err
}

// replaceSearchKeys replaces the search keys of accounts.
func (tx *Tx) replaceSearchKeys(ctx context.Context, keys map[account.ID][]string) error {
	ids := make([]any, 0, len(keys))
	for id := range keys {
		ids = append(ids, string(id))
	}
	_, err := tx.exec(ctx, `DELETE FROM search_keys WHERE user_id IN (`+placeholders(len(ids))+`)`, ids...)
	if err != nil {
		return fmt.Errorf("delete search keys: %w", err)
	}
	return tx.insertSearchKeys(ctx, keys)
}

func (tx *Tx) insertSearchKeys(ctx context.Context, keys map[account.ID][]string) error {
	var rows []string
	var args []any
	for id, list := range keys {
		for _, key := range list {
			rows = append(rows, fmt.Sprintf("($%d, $%d)", len(args)+1, len(args)+2))
			args = append(args, string(id), []byte(key))
		}
	}
	_, err := tx.exec(ctx, `INSERT INTO search_keys (user_id, key) VALUES `+strings.Join(rows, ", "), args...)
	if err != nil {
		return fmt.Errorf("insert search keys: %w", err)
	}
	return nil
}
