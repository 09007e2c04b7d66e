package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
)

const accountColumns = `users.id, ` + accountEmail + `, users.full_name, users.role, users.preferences,
	users.disabled_at, users.password_hash = '', users.email_verified_at, COALESCE(users.pending_email, ''), users.verification, users.second_factor_at,
	COALESCE(` + latestLogin + `, users.last_login_at),
	users.created_at, users.updated_at,
	COALESCE((SELECT nextcloud_id FROM nextcloud_accounts WHERE user_id = users.id AND owned), '')`

const wantsPassword = `EXISTS (SELECT 1 FROM nextcloud_accounts WHERE user_id = users.id AND wants_password)`

func accountDest(a *account.Account) []any {
	return []any{
		&a.ID, &a.Email, &a.FullName, &a.Role, &a.Preferences,
		nullTimeScanner{&a.DisabledAt}, &a.Pending, nullTimeScanner{&a.EmailVerifiedAt}, &a.PendingEmail, &a.Verification, nullTimeScanner{&a.SecondFactorAt},
		nullTimeScanner{&a.LastLogin}, timeScanner{&a.CreatedAt}, timeScanner{&a.UpdatedAt},
		&a.NextcloudUserID,
	}
}

// CreateAccount inserts a, which is pending if hash is "". Exactly one of several concurrent calls with the
// same e-mail address succeeds, and the others get [account.ErrEmailTaken].
// Call [DB.CanonicalizeEmails] before.
func (tx *Tx) CreateAccount(ctx context.Context, a account.Account, hash secret.String) error {
	if err := tx.insertAccount(ctx, a, hash); err != nil {
		return err
	}
	return tx.insertSearchKeys(ctx, searchKeys(a))
}

func (s *Statements) insertAccount(ctx context.Context, a account.Account, hash secret.String) error {
	_, err := s.exec(ctx, insertUser, accountRow(a, hash)...)
	if err != nil && s.dialect.Duplicate(err) {
		return account.ErrEmailTaken.Because(err)
	}
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	return nil
}

const insertUsers = `
	INSERT INTO users (id, email, full_name, role, preferences, password_hash, search, indexed_search,
		disabled_at, email_verified_at, created_at, updated_at, canonical_email, canonical_of, verification)
	VALUES `

var insertUser = insertUsers + `(` + placeholders(len(accountRow(account.Account{}, ""))) + `)`

// accountRow returns the row for [insertUsers].
func accountRow(a account.Account, hash secret.String) []any {
	kept, search := keptEmail(a.Email, a.LegacyEmail), searchText(a.Email, a.FullName)
	return []any{
		string(a.ID), kept, a.FullName, string(a.Role), a.Preferences.String(), hash.Reveal(), search, search,
		atOrNull(a.DisabledAt), atOrNull(a.EmailVerifiedAt), at(a.CreatedAt), at(a.UpdatedAt), string(a.Email), kept, string(a.Verification),
	}
}

// AccountByEmail returns the account with that address and its password hash,
// or [account.ErrNotFound].
func (s *Statements) AccountByEmail(ctx context.Context, l account.EmailLookup) (account.Account, secret.String, error) {
	return s.accountAndHash(ctx, "account by email", byEmail, emailArgs(l)...)
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

// A Page limits a list that is sorted newest first, unless its statement says
// otherwise.
type Page struct {
	Before string // the id of the last row of the previous page; "" for the first page
	Key    string // by which that row is sorted before its id, if the list has such a key
	Skip   int    // rows to skip, for clients without a cursor; the cost grows with it
	Limit  int    // maximum number of rows
	Bytes  int    // the page ends after the row whose document exceeds this total; 0 for no limit
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

// idsWithinBytes returns a query for the ids of a page, given a SELECT of ids
// and sizes, newest first. It drops the rows after those whose sizes fill as many
// bytes as the parameter says. Both engines know the length of a document without
// reading it.
func idsWithinBytes(page, bytes string) string {
	return `(SELECT id FROM (SELECT id, SUM(size) OVER (ORDER BY id DESC) - size AS before FROM (` + page + `) AS asked) AS summed
		WHERE before < ` + bytes + `)`
}

// accounts runs a query for about n accounts.
func (s *Statements) accounts(ctx context.Context, n int, query string, args ...any) ([]account.Account, error) {
	list := make([]account.Account, 0, n)
	err := queryList(ctx, s, &list, func(row scanner) error {
		var a account.Account
		if err := row.Scan(accountDest(&a)...); err != nil {
			return err
		}
		list = append(list, a)
		return nil
	}, query, args...)
	return list, err
}

// Accounts returns a page of the accounts, newest first.
func (s *Statements) Accounts(ctx context.Context, p Page) ([]account.Account, error) {
	list, err := s.accounts(ctx, p.Limit, `
		SELECT `+accountColumns+` FROM users WHERE users.id IN `+idsWithinBytes(`
			SELECT id, octet_length(preferences) AS size FROM users
			WHERE id < $1 ORDER BY id DESC LIMIT $2 OFFSET $3`, "$4")+`
		ORDER BY users.id DESC`,
		p.before(), p.Limit, p.Skip, p.bytes())
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	return list, nil
}

// An AccountFilter selects accounts. The zero value selects all.
type AccountFilter struct {
	Role     account.Role // "" for all
	Disabled bool         // only disabled accounts
}

// Selects reports whether f selects a.
func (f AccountFilter) Selects(a account.Account) bool {
	return (f.Role == "" || a.Role == f.Role) && (!f.Disabled || a.Disabled())
}

// AccountsWhere returns a page of the accounts that f selects, newest first. It ignores
// [Page.Skip] and [Page.Bytes]. It may read all accounts: it is for operators.
func (s *Statements) AccountsWhere(ctx context.Context, f AccountFilter, p Page) ([]account.Account, error) {
	query, args := `SELECT `+accountColumns+` FROM users WHERE users.id < $1`, []any{p.before(), p.Limit}
	if f.Role != "" {
		args = append(args, string(f.Role))
		query += ` AND users.role = $3`
	}
	if f.Disabled {
		query += ` AND users.disabled_at IS NOT NULL`
	}
	list, err := s.accounts(ctx, p.Limit, query+` ORDER BY users.id DESC LIMIT $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("accounts where: %w", err)
	}
	return list, nil
}

// Changes are the fields of an account to set. A nil field stays as it is.
type Changes struct {
	Email       *account.Email
	LegacyEmail account.Email // of Email, see [account.LegacyEmail]; "" if it equals Email
	Confirm     bool          // Email becomes the pending address, until it is confirmed
	FullName    *string
	Preferences *document.Object
	Role        *account.Role
	Disabled    *bool
}

// ChangeAccount applies c to the account as the caller read it, and returns the
// result. It returns [account.ErrEmailTaken] if another account has the new
// address, and [ErrChanged] if the account has changed since it was read.
// Owners may change their own fields, the address as [Actor.mayTakeOver] says.
// Everything else requires an administrator. Call [DB.CanonicalizeEmails]
// before an address changes. An address that does not change keeps its stored
// spelling, so that older code finds it. A new address is not verified, and the
// present address cancels a pending one.
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
	var email, spelled any // null if unchanged
	switch {
	case c.Email == nil:
	case *c.Email == was.Email:
		a.PendingEmail = ""
	case c.Confirm:
		if err := tx.checkEmailFree(ctx, was.ID, *c.Email); err != nil {
			return account.Account{}, err
		}
		a.PendingEmail = account.Email(keptEmail(*c.Email, c.LegacyEmail))
	default:
		email, spelled, a.Email = string(*c.Email), keptEmail(*c.Email, c.LegacyEmail), *c.Email
		a.PendingEmail, a.EmailVerifiedAt = "", nil
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
	a.UpdatedAt = nextVersion(was, now)
	search, reindexed := changedSearchText(was, a)
	n, err := tx.exec(ctx, `
		UPDATE users SET email = COALESCE($3, email), canonical_email = COALESCE($10, canonical_email),
			canonical_of = COALESCE($3, canonical_of), full_name = $4, preferences = $5, role = $6, search = $7,
			indexed_search = CASE WHEN $13 THEN $7 ELSE indexed_search END,
			disabled_at = $8, updated_at = $9, pending_email = $11, email_verified_at = $12
		WHERE id = $1 AND updated_at = $2`,
		string(a.ID), at(was.UpdatedAt), spelled, a.FullName, a.Preferences.String(), string(a.Role),
		search, atOrNull(a.DisabledAt), a.UpdatedAt, email,
		orNull(a.PendingEmail), atOrNull(a.EmailVerifiedAt), reindexed)
	switch {
	case err != nil && tx.dialect.Duplicate(err):
		return account.Account{}, account.ErrEmailTaken.Because(err)
	case err != nil:
		return account.Account{}, fmt.Errorf("change account: %w", err)
	case n == 0:
		return account.Account{}, ErrChanged
	}
	if reindexed {
		err = tx.replaceSearchKeys(ctx, searchKeys(a))
	}
	return a, err
}

// nextVersion returns the next [account.Account.UpdatedAt]. It increases, whatever the
// clock does.
func nextVersion(was account.Account, now time.Time) time.Time {
	if now = at(now); now.After(was.UpdatedAt) {
		return now
	}
	return was.UpdatedAt.Add(time.Microsecond)
}

// ErrChanged is returned by a compare-and-swap if the row has changed since it
// was read. The caller reads it again.
var ErrChanged = fault.New(fault.Conflict, "changed_meanwhile",
	"The resource was changed at the same time. Read it again and repeat the change.")

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// ReplaceHash replaces the hash that was verified by another hash of the same
// password, or returns [ErrChanged] if it is no longer the hash of the account.
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

// ChangePassword sets the hash of a new password of the caller, who has proved
// the current one.
func (tx *Tx) ChangePassword(ctx context.Context, by Actor, to secret.String) error {
	if err := by.knowsPassword(tx, by.Account.ID); err != nil {
		return err
	}
	if err := tx.ReplaceHash(ctx, by.Account.ID, by.proof.PasswordHash(), to); err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}

// RecoverPassword is [Tx.ChangePassword] for a caller with a token from a mail. The networks
// of earlier logins are forgotten, since some may have been somebody else's; networks are
// those that are known from now on.
func (tx *Tx) RecoverPassword(ctx context.Context, by Actor, to secret.String, networks signin.Networks) error {
	if !by.mailbox || !by.owns(tx, by.Account.ID) {
		return errUnauthorized
	}
	n, err := tx.exec(ctx, `UPDATE users SET password_hash = $3, login_networks = $4 WHERE id = $1 AND password_hash = $2`,
		string(by.Account.ID), by.proof.PasswordHash().Reveal(), to.Reveal(), string(networks))
	if err == nil && n == 0 {
		err = ErrChanged
	}
	if err != nil {
		return fmt.Errorf("recover password: %w", err)
	}
	return nil
}

// CountOtherAdmins returns the number of enabled administrators other than id. Those who
// have no password yet do not count.
func (s *Statements) CountOtherAdmins(ctx context.Context, id account.ID) (int, error) {
	var n int
	err := s.queryRow(ctx, nil, []any{&n}, `
		SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL AND password_hash <> '' AND id <> $1`, string(id))
	if err != nil {
		return 0, fmt.Errorf("count other admins: %w", err)
	}
	return n, nil
}

// DeleteAccount deletes the account with its logins and sessions, or returns
// [account.ErrNotFound]. Owners must have proved what [Actor.mayTakeOver] says.
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
