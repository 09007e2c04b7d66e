// Package login is the function behind POST /api/auth/login. It exchanges an
// e-mail address and a password for tokens, as JSON or as a form of the OAuth
// 2.0 password grant (RFC 6749 section 4.3.2). If the account has a second factor,
// it exchanges them for a challenge. Begin with Function.login.
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
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/validation"
)

// errIncorrect is the only response to an unknown address, a wrong password, and
// a disabled or pending account. It does not reveal which accounts exist.
var errIncorrect = fault.New(fault.Unauthenticated, "incorrect_credentials", "Incorrect credentials")

// A Function logs users in.
type Function struct {
	DB        *store.DB
	Passwords *password.Hasher
	Tokens    *token.Issuer
	Desired   *desired.Recorder
	Outbox    *mail.Outbox // it is not woken: a notice waits for the next round of its loop
	Rules     account.Rules
	Limits    *ratelimit.Limiter
	Now       func() time.Time

	Challenges *mfa.ChallengeCodec

	failures audit.Allowance
}

// Routes returns the routes of the function.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "POST /api/auth/login", Handler: endpoint.JSON(http.StatusOK, f.login, validation.Check), Limit: ratelimit.Login, Busy: f.Passwords.Busy},
	}
}

// A request is the JSON body or the form. The response does not distinguish an
// impossible name or password from a wrong one. Further parameters of the
// password grant are accepted and ignored.
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

// name returns the address, which clients may send under two names.
func (q *request) name() string { return cmp.Or(q.Email, q.Username) }

// attempts limits how often a request checks the password. It checks again if the
// hash was replaced during the check.
const attempts = 3

// A challenge is the response to the right password of an account with a second
// factor. A code completes the login at POST /api/auth/2fa/verify-login.
type challenge struct {
	Requires2FA bool   `json:"requires_2fa"`
	Challenge   string `json:"user_id"` // sealed; clients return it unchanged under this name
	Message     string `json:"message"`
}

// login returns a [token.Response] or a [challenge].
func (f *Function) login(ctx context.Context, from audit.Origin, q request) (any, error) {
	for range attempts {
		response, err := f.attempt(ctx, from, q)
		if !errors.Is(err, store.ErrChanged) {
			return response, err
		}
	}
	return nil, errIncorrect.Because(store.ErrChanged)
}

// attempt logs in once. It returns [store.ErrChanged] if the account was
// deleted, disabled or got another password before the login started.
func (f *Function) attempt(ctx context.Context, from audit.Origin, q request) (any, error) {
	who, hash, err := f.account(ctx, from, q)
	if err != nil {
		return nil, err
	}
	// Unknown and pending accounts have no hash; their refusal takes as long as any other.
	err = f.Passwords.Verify(ctx, hash, q.Password)
	switch {
	case errors.Is(err, password.ErrMismatch) && who.ID == "":
		return nil, f.refuse(ctx, who, from, audit.UnknownAccount)
	case errors.Is(err, password.ErrMismatch) && who.Pending:
		return nil, f.refuse(ctx, who, from, audit.PendingAccount)
	case errors.Is(err, password.ErrMismatch):
		return nil, f.refuse(ctx, who, from, audit.WrongPassword)
	case err != nil:
		return nil, err
	case who.Disabled() && defense.AccountState:
		return nil, f.refuse(ctx, who, from, audit.DisabledAccount)
	case !f.Rules.MayLogIn(who) && defense.VerifiedAddress:
		// Only who knows the password learns this.
		return nil, f.fail(ctx, account.ErrUnverified, who, from, audit.UnverifiedAddress)
	}
	now := f.Now()
	defense.Pause(defense.PasswordVerified)
	if who.SecondFactor() && defense.SecondFactor {
		return f.challenge(ctx, who, hash, q, now)
	}
	l := signin.Start(who.ID, from.Device, from.Address, now, f.Tokens.Logins)
	event := audit.New(audit.LoggedIn, who.ID, from, now)
	event.Login = l.ID
	if err := f.DB.StartLogin(ctx, l, hash, event, f.Outbox); err != nil {
		return nil, err
	}
	f.givePasswordToNextcloud(ctx, who, hash, q.Password, now)
	f.upgradeHash(ctx, who.ID, hash, q.Password)
	return f.Tokens.Issue(l, who.Role, q.Transport, now)
}

// challenge returns the challenge for a login whose password matched hash. It stores
// nothing: the login begins when a code answers the challenge. The password is not
// available then, so everything that needs it happens now.
func (f *Function) challenge(ctx context.Context, who account.Account, hash secret.String, q request, now time.Time) (any, error) {
	f.givePasswordToNextcloud(ctx, who, hash, q.Password, now)
	hash = f.upgradeHash(ctx, who.ID, hash, q.Password)
	text, err := f.Challenges.Encode(mfa.NewChallenge(who.ID, hash, q.Transport == token.InCookie, now))
	if err != nil {
		return nil, err
	}
	return challenge{true, text, "Send a code of your second factor to complete the login."}, nil
}

// refuse audits a failed login and returns the response to it. It costs the
// same for an unknown account as for a known one.
func (f *Function) refuse(ctx context.Context, who account.Account, origin audit.Origin, why string) error {
	if !defense.OneAnswer {
		return fault.New(fault.Unauthenticated, "incorrect_credentials", why)
	}
	return f.fail(ctx, errIncorrect, who, origin, why)
}

// fail audits a failed login and returns answer. The number of stored events is limited
// for each minute; the rest of a flood is only logged.
func (f *Function) fail(ctx context.Context, answer *fault.Error, who account.Account, origin audit.Origin, why string) error {
	now := f.Now()
	event := audit.New(audit.LoginFailed, who.ID, origin, now)
	event.Detail = why
	keep, omitted := f.failures.Take(now)
	if !keep {
		f.DB.LogEvent(ctx, event)
		return answer.Because(errors.New(why))
	}
	if omitted > 0 {
		event.Detail += fmt.Sprintf("; before it, %d failed logins were only logged", omitted)
	}
	if err := f.DB.Audit(ctx, event); err != nil {
		return err
	}
	return answer.Because(errors.New(why))
}

// givePasswordToNextcloud passes the password on to Nextcloud if the account
// there lacks it. Best effort: the next login tries again.
func (f *Function) givePasswordToNextcloud(ctx context.Context, who account.Account, hash, plain secret.String, now time.Time) {
	if who.NextcloudNeedsPassword && f.Desired.SupplyPassword(ctx, f.DB, who.ID, hash, password.Normalize(plain), now) == nil {
		f.Desired.Wake()
	}
}

// account returns the account that the request names. For an unknown account or
// an invalid address it returns no hash.
//
// Attempts to log in to an account are limited, whether or not the account
// exists, across all spellings and all clients. Networks from which a user has
// logged in to the account before are exempt, and have only the limit of the
// client, so attackers elsewhere cannot lock the owner out.
func (f *Function) account(ctx context.Context, from audit.Origin, q request) (account.Account, secret.String, error) {
	name, err := account.ParseEmailLookup(q.name())
	if err != nil {
		return account.Account{}, "", nil //nolint:nilerr // no account has such a name
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

// upgradeHash replaces a hash of a lower cost, and returns the hash that the account
// has now. Best effort: the old hash stays valid, and the next login tries again.
func (f *Function) upgradeHash(ctx context.Context, id account.ID, hash, plain secret.String) secret.String {
	if !f.Passwords.NeedsRehash(hash) {
		return hash
	}
	if stronger, err := f.Passwords.Rehash(ctx, plain); err == nil && f.DB.ReplaceHash(ctx, id, hash, stronger) == nil {
		return stronger
	}
	return hash
}
