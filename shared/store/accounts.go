package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
)

const accountColumns = `users.id, ` + accountEmail + `, users.full_name, users.role, users.preferences,
	users.disabled_at, users.email_verified_at, COALESCE(` + latestLogin + `, users.last_login_at),
	users.created_at, users.updated_at,
	COALESCE((SELECT nextcloud_id FROM nextcloud_accounts WHERE user_id = users.id AND owned), '')`

const wantsPassword = `EXISTS (SELECT 1 FROM nextcloud_accounts WHERE user_id = users.id AND wants_password)`

func accountDest(a *account.Account) []any {
	return []any{
		&a.ID, &a.Email, &a.FullName, &a.Role, &a.Preferences,
		nullTimeScanner{&a.DisabledAt}, nullTimeScanner{&a.EmailVerifiedAt}, nullTimeScanner{&a.LastLogin}, timeScanner{&a.CreatedAt}, timeScanner{&a.UpdatedAt},
		&a.NextcloudUserID,
	}
}

// CreateAccount inserts a. Of two concurrent calls with one e-mail address one
// succeeds and the other gets [account.ErrEmailTaken]. Call [DB.CanonicalizeEmails]
// before.
func (s *Statements) CreateAccount(ctx context.Context, a account.Account, hash secret.String) error {
	_, err := s.exec(ctx, `
		INSERT INTO users (id, email, full_name, role, preferences, password_hash, search,
			disabled_at, created_at, updated_at, canonical_email, canonical_of)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $2)`,
		string(a.ID), keptEmail(a.Email, a.LegacyEmail), a.FullName, string(a.Role), a.Preferences.String(), hash.Reveal(),
		searchText(a.Email, a.FullName), atOrNull(a.DisabledAt), at(a.CreatedAt), at(a.UpdatedAt),
		string(a.Email))
	if err != nil && s.dialect.Duplicate(err) {
		return account.ErrEmailTaken.Because(err)
	}
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	return nil
}

// AccountByEmail returns the account with that address and its password hash,
// or [account.ErrNotFound].
func (s *Statements) AccountByEmail(ctx context.Context, l account.EmailLookup) (account.Account, secret.String, error) {
	return s.accountAndHash(ctx, "account by email", byEmail, emailArgs(l)...)
}

// AccountForLogin is [Statements.AccountByEmail], and tells whether somebody
// signed in to the account from the client's network before, and not as the
// thief whose login had to be ended.
func (s *Statements) AccountForLogin(
	ctx context.Context, l account.EmailLookup, address string,
) (a account.Account, hash secret.String, familiar bool, err error) {
	var text string
	err = s.queryRow(ctx, account.ErrNotFound, append(accountDest(&a), &text, &a.NextcloudNeedsPassword, &familiar), `
		SELECT `+accountColumns+`, users.password_hash, `+wantsPassword+`,
			EXISTS (SELECT 1 FROM logins WHERE user_id = users.id AND network = $4 AND network <> ''
				AND (revoked_reason IS NULL OR revoked_reason = $5))`+byEmail,
		append(emailArgs(l), network(address), string(audit.LoggedOut))...)
	if err != nil {
		return account.Account{}, "", false, fmt.Errorf("account for login: %w", err)
	}
	return a, secret.String(text), familiar, nil
}

// AccountAndHash returns the account and its password hash, or
// [account.ErrNotFound].
func (s *Statements) AccountAndHash(ctx context.Context, id account.ID) (account.Account, secret.String, error) {
	return s.accountAndHash(ctx, "account and hash", ` FROM users WHERE users.id = $1`, string(id))
}

func (s *Statements) accountAndHash(
	ctx context.Context, what, from string, args ...any,
) (account.Account, secret.String, error) {
	var a account.Account
	var hash string
	err := s.queryRow(ctx, account.ErrNotFound, append(accountDest(&a), &hash, &a.NextcloudNeedsPassword), `
		SELECT `+accountColumns+`, users.password_hash, `+wantsPassword+from, args...)
	if err != nil {
		return account.Account{}, "", fmt.Errorf("%s: %w", what, err)
	}
	return a, secret.String(hash), nil
}

// Account returns the account, or [account.ErrNotFound].
func (s *Statements) Account(ctx context.Context, id account.ID) (account.Account, error) {
	var a account.Account
	err := s.queryRow(ctx, account.ErrNotFound, accountDest(&a),
		`SELECT `+accountColumns+` FROM users WHERE users.id = $1`, string(id))
	if err != nil {
		return account.Account{}, fmt.Errorf("account: %w", err)
	}
	return a, nil
}

// A Page bounds a listing that is sorted newest first.
type Page struct {
	Before string // the id of the last row of the page before; "" for the first page
	Skip   int    // rows to leave out, for clients without a cursor; its cost grows with it
	Limit  int    // rows at most
	Bytes  int    // the documents of the rows fill, and one more row; 0 is no limit
}

const (
	oldest = "00000000-0000-0000-0000-000000000000" // sorts before every id
	newest = "ffffffff-ffff-ffff-ffff-ffffffffffff" // sorts after every id
)

func (p Page) before() string {
	if p.Before == "" {
		return newest
	}
	return p.Before
}

func (p Page) bytes() int {
	if p.Bytes == 0 {
		return math.MaxInt
	}
	return p.Bytes
}

// idsWithinBytes returns the ids of a page from the SELECT of its ids and sizes, newest
// first: it leaves out the rows after those whose sizes fill $5 bytes. The
// engines know the length of a document without reading it.
func idsWithinBytes(page string) string {
	return `(SELECT id FROM (SELECT id, SUM(size) OVER (ORDER BY id DESC) - size AS before FROM (` + page + `) AS asked) AS summed
		WHERE before < $5)`
}

// Accounts returns a page of the accounts whose e-mail address, in U- or
// A-labels, or name contains search as [account.Fold] compares, newest first.
func (s *Statements) Accounts(ctx context.Context, search string, p Page) ([]account.Account, error) {
	list := make([]account.Account, 0, p.Limit)
	err := s.query(ctx, func(row scanner) error {
		var a account.Account
		if err := row.Scan(accountDest(&a)...); err != nil {
			return err
		}
		list = append(list, a)
		return nil
	}, `
		SELECT `+accountColumns+` FROM users WHERE users.id IN `+idsWithinBytes(`
			SELECT id, octet_length(preferences) AS size FROM users
			WHERE search LIKE $1 ESCAPE '!' AND id < $2 ORDER BY id DESC LIMIT $3 OFFSET $4`)+`
		ORDER BY users.id DESC`,
		likePattern(account.Fold(search)), p.before(), p.Limit, p.Skip, p.bytes())
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	return list, nil
}

// Changes are the fields of an account to set; nil leaves one as it is.
type Changes struct {
	Email       *account.Email
	LegacyEmail account.Email // of Email: see [account.LegacyEmail]; "" for as Email is
	FullName    *string
	Preferences *document.Object
	Role        *account.Role
	Disabled    *bool
}

// ChangeAccount applies c to the account as the caller read it and returns the
// result. It returns [account.ErrEmailTaken] when the new address belongs to
// another account, and [ErrChanged] when the account changed since it was read.
// Owners change what is theirs, the address with their password; the rest takes
// an administrator. Call [DB.CanonicalizeEmails] before an address changes. One that
// does not change stays as it is kept, so that older code finds it.
func (tx *Tx) ChangeAccount(
	ctx context.Context, by Actor, was account.Account, c Changes, now time.Time,
) (account.Account, error) {
	may := by.mayChange
	switch {
	case c.Role != nil, c.Disabled != nil:
		may = func(tx *Tx, _ account.ID) error { return by.mayAdminister(tx) }
	case c.Email != nil:
		may = by.mayTakeOver
	}
	if err := may(tx, was.ID); err != nil {
		return account.Account{}, err
	}
	a := was
	var email, spelled any // null for no other one
	if c.Email != nil && *c.Email != was.Email {
		email, spelled, a.Email = string(*c.Email), keptEmail(*c.Email, c.LegacyEmail), *c.Email
	}
	set(&a.FullName, c.FullName)
	set(&a.Preferences, c.Preferences)
	set(&a.Role, c.Role)
	if c.Disabled != nil && *c.Disabled != was.Disabled() {
		a.DisabledAt = nil
		if *c.Disabled {
			t := at(now)
			a.DisabledAt = &t
		}
	}
	a.UpdatedAt = at(now)
	if !a.UpdatedAt.After(was.UpdatedAt) {
		a.UpdatedAt = was.UpdatedAt.Add(time.Microsecond) // the version must move, whatever the clock does
	}
	n, err := tx.exec(ctx, `
		UPDATE users SET email = COALESCE($3, email), canonical_email = COALESCE($10, canonical_email),
			canonical_of = COALESCE($3, canonical_of), full_name = $4, preferences = $5, role = $6, search = $7,
			disabled_at = $8, updated_at = $9
		WHERE id = $1 AND updated_at = $2`,
		string(a.ID), at(was.UpdatedAt), spelled, a.FullName, a.Preferences.String(), string(a.Role),
		searchText(a.Email, a.FullName), atOrNull(a.DisabledAt), a.UpdatedAt, email)
	switch {
	case err != nil && tx.dialect.Duplicate(err):
		return account.Account{}, account.ErrEmailTaken.Because(err)
	case err != nil:
		return account.Account{}, fmt.Errorf("change account: %w", err)
	case n == 0:
		return account.Account{}, ErrChanged
	}
	return a, nil
}

// ErrChanged is returned by a compare-and-swap whose row changed in between;
// the caller reads again.
var ErrChanged = fault.New(fault.Conflict, "changed_meanwhile",
	"The resource was changed at the same time. Read it again and repeat the change.")

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// ReplaceHash replaces the hash of a password with another one of the same
// password, if it still is the one that was verified; else it returns
// [ErrChanged].
func (s *Statements) ReplaceHash(ctx context.Context, id account.ID, from, to secret.String) error {
	n, err := s.exec(ctx, `
		UPDATE users SET password_hash = $3 WHERE id = $1 AND `+defense.SQL(defense.ConfirmedPassword, `password_hash = $2`),
		string(id), from.Reveal(), to.Reveal())
	if err != nil {
		return fmt.Errorf("replace password hash: %w", err)
	}
	if n == 0 {
		return ErrChanged
	}
	return nil
}

// ChangePassword sets the hash of another password of the caller, who proved the
// queryRow before.
func (tx *Tx) ChangePassword(ctx context.Context, by Actor, to secret.String) error {
	if err := by.mayTakeOver(tx, by.Account.ID); err != nil {
		return err
	}
	if err := tx.ReplaceHash(ctx, by.Account.ID, by.proof.PasswordHash(), to); err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}

// CountOtherAdmins returns how many enabled administrators there are beside id.
func (s *Statements) CountOtherAdmins(ctx context.Context, id account.ID) (int, error) {
	var n int
	err := s.queryRow(ctx, nil, []any{&n}, `
		SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL AND id <> $1`, string(id))
	if err != nil {
		return 0, fmt.Errorf("count other admins: %w", err)
	}
	return n, nil
}

// DeleteAccount removes the account with its logins and sessions; it returns
// [account.ErrNotFound] when there is none. Owners prove their password for it.
func (tx *Tx) DeleteAccount(ctx context.Context, by Actor, id account.ID) error {
	if err := by.mayTakeOver(tx, id); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `DELETE FROM users WHERE id = $1`, string(id))
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	if n == 0 {
		return account.ErrNotFound
	}
	return nil
}
