package endpoint

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// An Authenticator finds out who sent a request by its bearer token, which is an
// access token or an API key: first it checks the signature or the form, which
// costs no I/O, then it asks whether the login or the key is live. It is safe for concurrent use.
type Authenticator struct {
	Keys   *token.Keys
	Logins Logins
	Now    func() time.Time
	Admins AdminPolicy
}

// An AdminPolicy is what administrators need beside a login.
type AdminPolicy struct {
	SecondFactor bool // without one, they reach only what its setup needs
}

// Load loads REQUIRE_2FA_FOR_ADMINS.
func (p *AdminPolicy) Load(r setting.Reader) {
	p.SecondFactor = r.Bool("REQUIRE_2FA_FOR_ADMINS", false)
}

// ForSetup returns an Authenticator for the routes that administrators need to set up
// the second factor that they must have.
func (a *Authenticator) ForSetup() *Authenticator {
	b := *a
	b.Admins.SecondFactor = false
	return &b
}

// Logins knows which logins are live. The store implements it.
type Logins interface {
	// SignedIn returns the enabled account with that live login, or
	// [signin.ErrRevoked].
	SignedIn(ctx context.Context, id account.ID, login signin.ID, now time.Time) (account.Account, error)
	// APIKey returns the key with the digest and its enabled account, or
	// [apikey.ErrInvalid].
	APIKey(ctx context.Context, digest apikey.Digest) (apikey.Key, account.Account, error)
	// RecordKeyUse records that a key was used, at most once in [apikey.UseEvery].
	RecordKeyUse(ctx context.Context, id apikey.ID, now time.Time) error
	// Holds returns the account of the proof if it still holds, [signin.ErrRevoked]
	// or [apikey.ErrInvalid].
	Holds(ctx context.Context, by signin.Proof, now time.Time) (account.Account, error)
}

var errManyTokens = fault.New(fault.Malformed, "several_tokens", "Send one Authorization header.")

// Bearer returns the token of the Authorization header (RFC 6750 section 2.1), or
// "" without the header or with another scheme.
func Bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) > 1 {
		return "", errManyTokens
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, credentials, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.Trim(credentials, " "), nil
}

// Authenticate returns the caller that sent r, and records the account for the log
// event of the request. It is for handlers of [Raw]. A handler that has read the
// body or waited for something else must call [Authenticator.Recheck] before it
// changes anything.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (Caller, error) {
	sent, err := a.verify(r)
	if err != nil {
		return Caller{}, err
	}
	return a.caller(ctx, r, sent)
}

// A credential is a bearer token whose form has been checked.
type credential struct {
	claims token.Claims
	key    apikey.Digest
	isKey  bool // otherwise, claims are those of an access token
}

// verify checks the token that r carries, as far as that needs no I/O.
func (a *Authenticator) verify(r *http.Request) (credential, error) {
	bearer, err := Bearer(r)
	if err != nil {
		return credential{}, err
	}
	if bearer == "" {
		return credential{}, token.ErrMissing
	}
	if apikey.Is(bearer) {
		return verifyKey(r, bearer)
	}
	claims, err := a.Keys.Verify(bearer, a.Now())
	return credential{claims: claims}, err
}

// caller returns the caller of r, who sent the credential, and records the account
// for the log event.
func (a *Authenticator) caller(ctx context.Context, r *http.Request, sent credential) (Caller, error) {
	if sent.isKey {
		return a.keyHolder(ctx, r, sent.key)
	}
	claims := sent.claims
	owner, err := a.Logins.SignedIn(ctx, claims.Subject, claims.Login, a.Now())
	if err != nil {
		return Caller{}, err
	}
	needs := a.Admins.SecondFactor && owner.Admin() && defense.SecondFactor
	if needs && !owner.SecondFactor() {
		return Caller{}, signin.ErrSecondFactorRequired
	}
	x := exchangeOf(r)
	x.user = string(owner.ID)
	defense.Pause(defense.Admitted)
	return Caller{Account: owner, Login: claims.Login, Origin: x.origin, needsSecondFactor: needs}, nil
}

// Recheck returns nil if the proof still holds, [signin.ErrRevoked],
// [apikey.ErrInvalid], [signin.ErrAdminRequired] or
// [signin.ErrSecondFactorRequired]. The store checks proofs in its statements; call
// Recheck immediately before an effect outside the store, such as one in
// Nextcloud. It accepts a token that has expired since: the client could refresh
// it.
func (a *Authenticator) Recheck(ctx context.Context, by signin.Proof) error {
	owner, err := a.Logins.Holds(ctx, by, a.Now())
	if err == nil && by.Admin() && !owner.Admin() && defense.AdministratorsOnly {
		return signin.ErrAdminRequired
	}
	if err == nil && by.NeedsSecondFactor() && !owner.SecondFactor() {
		return signin.ErrSecondFactorRequired
	}
	return err
}
