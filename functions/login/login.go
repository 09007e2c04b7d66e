// Package login is the function behind POST /api/auth/login: e-mail address and
// password for a pair of tokens, as JSON or as the form of OAuth 2.0's password
// grant (RFC 6749 section 4.3.2).
package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/validation"
)

// errIncorrect is the one answer to an unknown address, a wrong password and a
// disabled account, so that nobody learns which accounts exist.
var errIncorrect = fault.New(fault.Unauthenticated, "incorrect_credentials", "Incorrect credentials")

// A Function signs people in.
type Function struct {
	DB        *store.DB
	Passwords *password.Hasher
	Tokens    *token.Issuer
	Desired   *desired.Recorder
	Limits    *ratelimit.Limiter
	Now       func() time.Time

	failures audit.Allowance
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "POST /api/auth/login", Handler: endpoint.JSON(http.StatusOK, f.login, validation.Check), Limit: ratelimit.Login},
	}
}

// A request is the JSON or the form. Whether a name and a password could be right
// is not told apart from whether they are. What the password grant sends beyond
// them means nothing here and is accepted.
type request struct {
	Email     string        `json:"email"`
	Transport string        `json:"transport" form:"transport" validate:"omitempty,oneof=body cookie"`
	Username  string        `json:"username" form:"username" validate:"required_without=Email,excluded_with=Email|eqfield=Email"`
	Password  secret.String `json:"password" form:"password" validate:"required"`

	GrantType    string        `json:"-" form:"grant_type"`
	Scope        string        `json:"-" form:"scope"`
	ClientID     string        `json:"-" form:"client_id"`
	ClientSecret secret.String `json:"-" form:"client_secret"`
}

// Bind keeps pages of other origins from setting the cookie: such a page could
// log its visitors in to an account of its choice.
func (q *request) Bind(r *http.Request) error {
	if q.Transport == token.InCookie {
		return endpoint.CheckOrigin(r)
	}
	return nil
}

// name returns the address, by whichever name it was sent.
func (q *request) name() string { return cmp.Or(q.Email, q.Username) }

// attempts bounds how often a password is checked for one request: again where
// the hash was replaced while it was checked.
const attempts = 3

func (f *Function) login(ctx context.Context, from audit.Origin, q request) (token.Response, error) {
	for range attempts {
		response, err := f.attempt(ctx, from, q)
		if !errors.Is(err, store.ErrChanged) {
			return response, err
		}
	}
	return token.Response{}, errIncorrect.Because(store.ErrChanged)
}

// attempt signs in. It returns [store.ErrChanged] where the account had another
// password, or had ended, when the login was to start.
func (f *Function) attempt(ctx context.Context, from audit.Origin, q request) (token.Response, error) {
	who, hash, err := f.account(ctx, from, q)
	if err != nil {
		return token.Response{}, err
	}
	// An unknown account has no hash, and takes as long to refuse as any other.
	err = f.Passwords.Verify(ctx, hash, q.Password)
	switch {
	case errors.Is(err, password.ErrMismatch) && who.ID == "":
		return token.Response{}, f.refuse(ctx, who, from, audit.UnknownAccount)
	case errors.Is(err, password.ErrMismatch):
		return token.Response{}, f.refuse(ctx, who, from, audit.WrongPassword)
	case err != nil:
		return token.Response{}, err
	case who.Disabled() && defense.AccountState:
		return token.Response{}, f.refuse(ctx, who, from, audit.DisabledAccount)
	}
	now := f.Now()
	defense.Pause(defense.PasswordVerified)
	l := signin.Start(who.ID, from.Device, from.Address, now, f.Tokens.Logins)
	event := audit.New(audit.LoggedIn, who.ID, from, now)
	event.Login = l.ID
	if err := f.DB.StartLogin(ctx, l, hash, event); err != nil {
		return token.Response{}, err
	}
	f.givePasswordToNextcloud(ctx, who, hash, q.Password, now)
	f.upgradeHash(ctx, who.ID, hash, q.Password)
	return f.Tokens.Issue(l, who.Role, q.Transport, now)
}

// refuse audits a login that failed and returns the answer to it. It costs the
// same for an unknown account as for any other. A flood is logged and not kept
// in full: what rows there may be in a minute is bounded.
func (f *Function) refuse(ctx context.Context, who account.Account, origin audit.Origin, why string) error {
	now := f.Now()
	event := audit.New(audit.LoginFailed, who.ID, origin, now)
	event.Detail = why
	if !defense.OneAnswer {
		return fault.New(fault.Unauthenticated, "incorrect_credentials", why)
	}
	keep, omitted := f.failures.Take(now)
	if !keep {
		f.DB.LogEvent(ctx, event)
		return errIncorrect.Because(errors.New(why))
	}
	if omitted > 0 {
		event.Detail += fmt.Sprintf("; before it, %d failed logins were only logged", omitted)
	}
	if err := f.DB.Audit(ctx, event); err != nil {
		return err
	}
	return errIncorrect.Because(errors.New(why))
}

// givePasswordToNextcloud gives Nextcloud the password where it lacks it. It may fail without
// harm: the next login tries again.
func (f *Function) givePasswordToNextcloud(ctx context.Context, who account.Account, hash, plain secret.String, now time.Time) {
	if who.NextcloudNeedsPassword && f.Desired.SupplyPassword(ctx, f.DB, who.ID, hash, password.Normalize(plain), now) == nil {
		f.Desired.Wake()
	}
}

// account returns whom the request names; nobody is an account without a hash.
// So is a name that is no e-mail address.
//
// The tries on one account are limited, whoever makes them, in whatever spelling
// and whether or not there is one. The limit of the client's address alone holds where somebody
// signed in before: whoever tries from everywhere else cannot lock the owner out.
func (f *Function) account(ctx context.Context, from audit.Origin, q request) (account.Account, secret.String, error) {
	name, err := account.ParseEmailLookup(q.name())
	if err != nil {
		return account.Account{}, "", nil //nolint:nilerr // nobody has such a name
	}
	who, hash, familiar, err := f.DB.AccountForLogin(ctx, name, from.Address)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return account.Account{}, "", err
	}
	if familiar || !defense.AccountLimit {
		return who, hash, nil
	}
	return who, hash, f.Limits.Account(ctx, ratelimit.Login, name.Key())
}

// upgradeHash replaces a hash that was made at a lower cost. It may fail without
// harm: the old hash stays good, and the next login tries again.
func (f *Function) upgradeHash(ctx context.Context, id account.ID, hash, plain secret.String) {
	if !f.Passwords.NeedsRehash(hash) {
		return
	}
	if stronger, err := f.Passwords.Rehash(ctx, plain); err == nil {
		_ = f.DB.ReplaceHash(ctx, id, hash, stronger)
	}
}
