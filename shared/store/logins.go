package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

const loginColumns = `logins.id, logins.user_id, logins.counter, logins.device, logins.address,
	logins.created_at, logins.rotated_at, logins.uses, logins.expires_at, logins.revoked_at`

// latestLogin is the time of the latest stored login of the user. Ids begin
// with the time, and an index sorts them.
const latestLogin = `(SELECT latest.created_at FROM logins AS latest
	WHERE latest.user_id = users.id ORDER BY latest.id DESC LIMIT 1)`

func (s *Statements) loginDest(l *signin.Login) []any {
	return []any{
		&l.ID, &l.UserID, &l.Counter, &l.Device, &l.Address,
		createdScanner{l, s.logins}, timeScanner{&l.RotatedAt}, usesScanner{&l.Uses}, timeScanner{&l.ExpiresAt}, nullTimeScanner{&l.RevokedAt},
	}
}

// createdScanner scans created_at, and sets the absolute end that follows from
// it.
type createdScanner struct {
	l     *signin.Login
	lasts signin.Lifetimes
}

func (b createdScanner) Scan(value any) error {
	if err := (timeScanner{&b.l.CreatedAt}).Scan(value); err != nil {
		return err
	}
	b.l.EndsAt = b.lasts.End(b.l.CreatedAt)
	return nil
}

// useSize is the length of a time in the column uses: microseconds since 1970
// in hexadecimal. Since all have the same length, both engines can append and
// cut in SQL.
const useSize = 16

func formatUse(t time.Time) string { return fmt.Sprintf("%0*x", useSize, t.UnixMicro()) }

// usesScanner scans the column uses.
type usesScanner struct{ to *[]time.Time }

func (u usesScanner) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("scan %T as uses", value)
	}
	*u.to = nil
	for one := range slices.Chunk([]byte(text), useSize) {
		micros, err := strconv.ParseInt(string(one), 16, 64)
		if err != nil {
			return fmt.Errorf("scan uses: %w", err)
		}
		*u.to = append(*u.to, time.UnixMicro(micros).UTC())
	}
	return nil
}

// AccountForLogin is [Statements.AccountByEmail]. It also returns whether
// somebody has logged in to the account from the network of the client before,
// except in logins that were revoked, as those of thieves are.
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

// noSecondFactor is a variable, since the compiler does not remove calls of package
// defense from closures that it inlines into other packages.
var noSecondFactor = ` AND ` + defense.SQL(defense.SecondFactor, `users.second_factor_at IS NULL`)

// StartLogin inserts l and the event that describes it if the account is
// enabled and not pending, hash, which the password matched, is still its hash, and it has no
// second factor. Otherwise it returns [ErrChanged]. If nobody has logged in to the account
// from the network before, except for its first login, it tells the user through o, which
// may be nil.
//
// It runs in a serializable transaction, as a change of password does. A single
// statement could read the hash before that change and commit after it, unseen
// by the statement that ends the logins. Of several logins from the same new network at
// the same time, one tells the user: all of them write the row of the user, and all but
// one run again.
func (db *DB) StartLogin(ctx context.Context, l signin.Login, hash secret.String, e audit.Event, o *mail.Outbox) error {
	return db.Update(ctx, func(tx *Tx) error { return tx.StartLogin(ctx, l, hash, e, o) })
}

// StartLogin is [DB.StartLogin] within a transaction.
func (tx *Tx) StartLogin(ctx context.Context, l signin.Login, hash secret.String, e audit.Event, o *mail.Outbox) error {
	return tx.startLogin(ctx, l, hash, noSecondFactor, e, o)
}

// StartLoginWithCode is [DB.StartLogin] for an account whose second factor has
// accepted a code in this transaction.
func (tx *Tx) StartLoginWithCode(ctx context.Context, l signin.Login, hash secret.String, e audit.Event, o *mail.Outbox) error {
	return tx.startLogin(ctx, l, hash, "", e, o)
}

func (tx *Tx) startLogin(ctx context.Context, l signin.Login, hash secret.String, and string, e audit.Event, o *mail.Outbox) error {
	unchanged := defense.SQL(defense.AccountState, `users.disabled_at IS NULL AND users.password_hash <> ''`) + ` AND ` +
		defense.SQL(defense.ConfirmedPassword, `users.password_hash = $10`)
	var known signin.Networks
	err := tx.queryRow(ctx, ErrChanged, []any{&known}, `
		INSERT INTO logins (id, user_id, counter, device, address, created_at, rotated_at, expires_at, sweep_at, network)
		SELECT $1, users.id, $3, $4, $5, $6, $7, $8, $8, $9 FROM users
		WHERE users.id = $2 AND `+unchanged+and+`
		RETURNING (SELECT users.login_networks FROM users WHERE users.id = logins.user_id)`,
		string(l.ID), string(l.UserID), l.Counter, l.Device, l.Address,
		at(l.CreatedAt), at(l.RotatedAt), at(l.ExpiresAt), network(l.Address), hash.Reveal())
	if err != nil {
		return fmt.Errorf("start login: %w", err)
	}
	if err := tx.recordNetwork(ctx, known, l, e, o); err != nil {
		return err
	}
	return tx.Audit(ctx, e)
}

// recordNetwork adds the network of l to those of the account, and tells the user if it
// was unknown.
func (tx *Tx) recordNetwork(ctx context.Context, known signin.Networks, l signin.Login, e audit.Event, o *mail.Outbox) error {
	after, unknown := known.Add(l.Address, l.CreatedAt)
	if after == known {
		return nil
	}
	if _, err := tx.exec(ctx, `UPDATE users SET login_networks = $2 WHERE id = $1`, string(l.UserID), string(after)); err != nil {
		return fmt.Errorf("record the network of a login: %w", err)
	}
	if !unknown || o == nil || !o.Notices {
		return nil
	}
	a, err := tx.Account(ctx, l.UserID)
	if err != nil {
		return err
	}
	return o.NewNetwork(ctx, tx, a, e)
}

// LoginBegan returns when the login began, or [signin.ErrRevoked] if it does not
// exist.
func (s *Statements) LoginBegan(ctx context.Context, id signin.ID) (time.Time, error) {
	var began time.Time
	err := s.queryRow(ctx, signin.ErrRevoked, []any{timeScanner{&began}}, `SELECT created_at FROM logins WHERE id = $1`, string(id))
	if err != nil {
		return time.Time{}, fmt.Errorf("begin of the login: %w", err)
	}
	return began, nil
}

// network returns the network of the client at an address, or "".
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	return ratelimit.Network(a)
}

// A LoginWithRole is a login and the role of its account.
type LoginWithRole struct {
	Login signin.Login
	Role  account.Role
}

// rotateLogin is concatenated once: a client runs it every few minutes.
var rotateLogin = `
	UPDATE logins SET counter = counter + 1, rotated_at = $3, expires_at = $4, address = $5, network = $6,
		uses = CASE WHEN rotated_at < $7 THEN $8 ELSE substr($8 || uses, 1, $9) END
	WHERE id = $1 AND counter = $2 AND ` + defense.SQL(defense.LiveLogin, `revoked_at IS NULL AND expires_at > $3 AND created_at > $10
		AND EXISTS (SELECT 1 FROM users WHERE users.id = logins.user_id AND users.disabled_at IS NULL)`) + `
	RETURNING logins.user_id, logins.created_at, (SELECT users.role FROM users WHERE users.id = logins.user_id)`

// RotateLogin advances the counter of the login and extends the login until
// expires, or until its absolute end, see [DB.SetLoginLifetime]. matched is
// false if counter is not the current one or the login is not live. It records
// the address and the use of the token, and drops earlier uses if the last one
// is longer ago than [signin.MaxGrace]. Exactly one of several concurrent calls
// with the same counter matches. The result lacks what new tokens do not need: the
// device and the uses.
func (s *Statements) RotateLogin(
	ctx context.Context, id signin.ID, counter int64, address string, now, expires time.Time,
) (r LoginWithRole, matched bool, err error) {
	r.Login = signin.Login{ID: id, Counter: counter + 1, RotatedAt: at(now), ExpiresAt: at(expires), Address: address}
	dest := []any{&r.Login.UserID, createdScanner{&r.Login, s.logins}, &r.Role}
	err = s.queryRow(ctx, errNoMatch, dest, rotateLogin,
		string(id), counter, at(now), at(expires), address, network(address),
		at(now.Add(-signin.MaxGrace)), formatUse(at(now)), signin.MaxUses*useSize, s.loginsSince(now))
	switch {
	case err == nil:
		return r, true, nil
	case errors.Is(err, errNoMatch):
		return LoginWithRole{}, false, nil
	}
	return LoginWithRole{}, false, fmt.Errorf("rotate login: %w", err)
}

// Login returns the login with its account's role, or
// [signin.ErrInvalidRefresh]. The login of a disabled account reads as revoked.
func (s *Statements) Login(ctx context.Context, id signin.ID) (LoginWithRole, error) {
	var r LoginWithRole
	var disabled *time.Time
	err := s.queryRow(ctx, signin.ErrInvalidRefresh, append(s.loginDest(&r.Login), &r.Role, nullTimeScanner{&disabled}), `
		SELECT `+loginColumns+`, users.role, users.disabled_at
		FROM logins JOIN users ON users.id = logins.user_id WHERE logins.id = $1`, string(id))
	if err != nil {
		return LoginWithRole{}, fmt.Errorf("login: %w", err)
	}
	if r.Login.RevokedAt == nil {
		r.Login.RevokedAt = disabled
	}
	return r, nil
}

// Logins returns a page of the live logins of the user, newest first.
func (s *Statements) Logins(ctx context.Context, user account.ID, p Page, now time.Time) ([]signin.Login, error) {
	list := []signin.Login{}
	err := queryList(ctx, s, &list, func(row scanner) error {
		var l signin.Login
		if err := row.Scan(s.loginDest(&l)...); err != nil {
			return err
		}
		list = append(list, l)
		return nil
	}, `
		SELECT `+loginColumns+` FROM logins
		WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND created_at > $6 AND id < $3
		ORDER BY id DESC LIMIT $4 OFFSET $5`, string(user), at(now), p.before(), p.Limit, p.Skip, s.loginsSince(now))
	if err != nil {
		return nil, fmt.Errorf("logins: %w", err)
	}
	return list, nil
}

// RevokeLogin ends the login of the user and reports whether it was live. Here
// and in [Tx.RevokeLogins], a login that is too old counts as live: a change of
// [DB.SetLoginLifetime] must not revive a login that was revoked.
func (s *Statements) RevokeLogin(
	ctx context.Context, user account.ID, id signin.ID, reason string, now time.Time,
) (bool, error) {
	n, err := s.exec(ctx, `
		UPDATE logins SET revoked_at = $3, revoked_reason = $4
		WHERE id = $1 AND `+defense.SQL(defense.OwnersOnly, `user_id = $2`)+` AND revoked_at IS NULL AND expires_at > $3`,
		string(id), string(user), at(now), reason)
	if err != nil {
		return false, fmt.Errorf("revoke login: %w", err)
	}
	return n > 0, nil
}

// RevokeLogins ends every live login of the user except keep ("" for none), and
// returns how many it ended.
func (tx *Tx) RevokeLogins(
	ctx context.Context, by Actor, user account.ID, keep signin.ID, reason string, now time.Time,
) (int64, error) {
	if err := by.mayChange(tx, user); err != nil {
		return 0, err
	}
	if keep == "" {
		keep = newest // no login has this id
	}
	n, err := tx.exec(ctx, `
		UPDATE logins SET revoked_at = $3, revoked_reason = $4
		WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > $3`,
		string(user), string(keep), at(now), reason)
	if err != nil {
		return 0, fmt.Errorf("revoke logins: %w", err)
	}
	return n, nil
}

// AccountsWithAccess returns the ids of accounts that have a live login, an app
// password or an API key, at most limit, in order, behind the id after; "" is before the first.
// Like [Tx.RevokeLogins], it counts logins that are too old as live.
func (s *Statements) AccountsWithAccess(ctx context.Context, after account.ID, limit int, now time.Time) ([]account.ID, error) {
	if after == "" {
		after = oldest
	}
	var ids []account.ID
	err := queryList(ctx, s, &ids, func(row scanner) error {
		var id account.ID
		ids = append(ids, id)
		return row.Scan(&ids[len(ids)-1])
	}, `
		SELECT users.id FROM users WHERE users.id > $1 AND (
			EXISTS (SELECT 1 FROM logins WHERE user_id = users.id AND revoked_at IS NULL AND expires_at > $2)
			OR EXISTS (SELECT 1 FROM nextcloud_app_passwords WHERE user_id = users.id)
			OR EXISTS (SELECT 1 FROM api_keys WHERE user_id = users.id))
		ORDER BY users.id LIMIT $3`, string(after), at(now), limit)
	if err != nil {
		return nil, fmt.Errorf("accounts with access: %w", err)
	}
	return ids, nil
}
