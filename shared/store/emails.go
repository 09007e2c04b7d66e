package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// accountEmail is the address as users see it: in canonical form if the account
// has one, otherwise as stored, which is how its owner logs in.
const accountEmail = `CASE WHEN users.canonical_of = users.email THEN users.canonical_email ELSE users.email END`

// byEmail is the end of a SELECT that finds an account by its address. $1 to $3
// are [emailArgs].
//
// Accounts without a canonical address were created before there was one, or
// written by older code. They are found by the exact text that was entered, and
// by its U-form and A-form. Several accounts may match. The order of precedence
// is: the exact spelling of an account without a canonical address, since it
// has no other; the canonical address; the legacy spelling.
const byEmail = ` FROM users
	WHERE users.canonical_email = $1 AND users.canonical_of = users.email OR users.email IN ($1, $2, $3)
	ORDER BY CASE WHEN users.email = $2 AND users.canonical_of IS DISTINCT FROM users.email THEN 0
		WHEN users.canonical_email = $1 THEN 1 WHEN users.email = $2 THEN 2 ELSE 3 END
	LIMIT 1`

func emailArgs(l account.EmailLookup) []any {
	return []any{string(l.Email), string(l.Legacy), l.Email.ASCII()}
}

// keptEmail returns the address for users.email: the legacy spelling if it is
// the same mailbox, because the previous release looks for nothing else.
func keptEmail(e, spelled account.Email) string {
	if same, err := account.ParseEmail(string(spelled)); err == nil && same == e {
		return string(spelled)
	}
	return string(e)
}

// An EmailConflict is an account without a canonical address, because another
// account has it. Both were created before addresses had a canonical form, or
// one by older code since. Only its exact spelling finds it.
type EmailConflict struct {
	Account account.ID `json:"account"`
	Holder  account.ID `json:"keeper"` // the account that has the address
}

// canonicalizeBatch is how many accounts one statement updates.
const canonicalizeBatch = 50

// CanonicalizeEmails sets the canonical address and the search text of all
// accounts that lack them: old accounts, and those that older code has written
// since. Older accounts come first. An account whose address is taken stays as
// it is, and is returned. Call it before an address is used. If there is
// nothing to do, it costs one statement on an empty index. Concurrent calls are
// safe, and the next call continues one that was interrupted.
func (db *DB) CanonicalizeEmails(ctx context.Context) ([]EmailConflict, error) {
	for {
		settled, twins, err := db.canonicalizeAll(ctx)
		if err != nil {
			return nil, fmt.Errorf("settle e-mail addresses: %w", err)
		}
		if settled == 0 || len(twins) == 0 {
			return twins, nil
		}
		// An updated account may have held the address of a conflicting one.
	}
}

// An uncanonical account does not have its canonical address yet.
type uncanonical struct {
	id        account.ID
	email     account.Email
	name      string
	updatedAt time.Time
	canonical account.Email
}

func (db *DB) canonicalizeAll(ctx context.Context) (settled int64, twins []EmailConflict, err error) {
	after := oldest
	for {
		batch, err := db.uncanonical(ctx, after)
		if err != nil || len(batch) == 0 {
			return settled, twins, err
		}
		keepers, err := db.emailHolders(ctx, batch)
		if err != nil {
			return 0, nil, err
		}
		var free []uncanonical
		var taken []EmailConflict
		for _, u := range batch {
			if keeper, ok := keepers[u.canonical]; ok && keeper != u.id {
				taken = append(taken, EmailConflict{Account: u.id, Holder: keeper})
				continue
			}
			keepers[u.canonical] = u.id
			free = append(free, u)
		}
		n, err := db.canonicalize(ctx, free)
		if err != nil && db.dialect.Duplicate(err) {
			continue // an address was taken in between; read the batch again
		}
		if err != nil {
			return 0, nil, err
		}
		settled, twins, after = settled+n, append(twins, taken...), string(batch[len(batch)-1].id)
	}
}

func (s *Statements) uncanonical(ctx context.Context, after string) ([]uncanonical, error) {
	var batch []uncanonical
	err := queryList(ctx, s, &batch, func(row scanner) error {
		var u uncanonical
		if err := row.Scan(&u.id, &u.email, &u.name, timeScanner{&u.updatedAt}); err != nil {
			return err
		}
		var err error
		if u.canonical, err = account.ParseEmail(string(u.email)); err != nil {
			u.canonical = u.email // accepted before this rule; no other account can have it
		}
		batch = append(batch, u)
		return nil
	}, `
		SELECT id, email, full_name, updated_at FROM users
		WHERE canonical_of IS DISTINCT FROM email AND id > $1 ORDER BY id LIMIT $2`, after, canonicalizeBatch)
	return batch, err
}

// emailHolders returns which accounts have the canonical addresses of the
// batch.
func (s *Statements) emailHolders(ctx context.Context, batch []uncanonical) (map[account.Email]account.ID, error) {
	args := make([]any, len(batch))
	for i, u := range batch {
		args[i] = string(u.canonical)
	}
	keepers := map[account.Email]account.ID{}
	err := s.query(ctx, func(row scanner) error {
		var id account.ID
		var email account.Email
		err := row.Scan(&id, &email)
		keepers[email] = id
		return err
	}, `SELECT id, canonical_email FROM users WHERE canonical_email IN (`+placeholders(len(args))+`)`, args...)
	return keepers, err
}

// canonicalize updates the accounts of the batch that have not changed since
// they were read.
func (s *Statements) canonicalize(ctx context.Context, batch []uncanonical) (int64, error) {
	if len(batch) == 0 {
		return 0, nil
	}
	var canonical, search, same strings.Builder
	var args []any
	for i, u := range batch {
		n := len(args)
		fmt.Fprintf(&canonical, " WHEN $%d THEN $%d", n+1, n+3)
		fmt.Fprintf(&search, " WHEN $%d THEN $%d", n+1, n+4)
		if i > 0 {
			same.WriteString(" OR ")
		}
		fmt.Fprintf(&same, "id = $%d AND updated_at = $%d", n+1, n+2)
		args = append(args, string(u.id), at(u.updatedAt), string(u.canonical), searchText(u.canonical, u.name))
	}
	return s.exec(ctx, `
		UPDATE users SET canonical_of = email,
			canonical_email = CASE id`+canonical.String()+` END, search = CASE id`+search.String()+` END
		WHERE canonical_of IS DISTINCT FROM email AND (`+same.String()+`)`, args...)
}

// placeholders returns n placeholders from $1 on, separated by commas.
func placeholders(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(list, ", ")
}
