// Package registration creates accounts. There is no other way to create one:
// users register, administrators create accounts for others, and operators
// create them at the command line.
//
// It imports the store, password and nextcloud/desired. Begin with [Registrar].
package registration

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// A Registrar creates accounts. It is safe for concurrent use.
type Registrar struct {
	DB        *store.DB
	Passwords *password.Hasher
	Desired   *desired.Recorder
	Outbox    *mail.Outbox
	Rules     account.Rules
	Now       func() time.Time
	Silent    bool // see [Settings]
}

// Settings say what registration reveals.
type Settings struct {
	Silent bool // registering a taken address gets the same response as a free one
}

// Load loads REGISTRATION_CONFLICT: reveal (the default) or silent.
func (s *Settings) Load(r setting.Reader) {
	s.Silent = r.OneOf("REGISTRATION_CONFLICT", "reveal", "silent") == "silent"
}

// A NewAccount is the data of an account to create.
type NewAccount struct {
	Email    account.Email
	Spelled  account.Email // see [account.LegacyEmail]
	FullName string
	Role     account.Role
	Password password.Password
}

// Parse returns the data of an account to create, or one fault that lists every
// invalid input under its name on the wire.
func Parse(email, fullName, role string, plain secret.String) (NewAccount, error) {
	var wrong fault.Fields
	p := parse(&wrong, email, fullName, role)
	p.Password = fault.ParseField(&wrong, "password", plain, func(plain secret.String) (password.Password, error) {
		return password.Parse(plain.Reveal(), p.Email)
	})
	return p, wrong.Err()
}

// parse parses all except the password.
func parse(wrong *fault.Fields, email, fullName, role string) NewAccount {
	return NewAccount{
		Email:    fault.ParseField(wrong, "email", email, account.ParseEmail),
		Spelled:  account.LegacyEmail(email),
		FullName: fault.ParseField(wrong, "full_name", fullName, account.ParseName),
		Role:     fault.ParseField(wrong, "role", role, account.ParseRole),
	}
}

// Busy is [password.Hasher.Busy] of the hasher for new passwords.
func (r *Registrar) Busy() error { return r.Passwords.Busy() }

// Register creates an account for a user who registers, and asks the user to verify
// the address if the rules require it. If users may not register by themselves, it
// returns the error of [account.Rules.CheckRegistration], whatever the address. If the registrar is silent, it does not reveal
// that an address is registered: it returns an account that looks like a new one and
// does not exist, and audits the attempt for the owner of the address.
func (r *Registrar) Register(ctx context.Context, p NewAccount, origin audit.Origin) (account.Account, error) {
	if err := r.Rules.CheckRegistration(); err != nil && defense.InvitedUsersOnly {
		return account.Account{}, err
	}
	a, err := r.create(ctx, p, r.Rules.Verification, signin.Proof{}, origin)
	if r.Silent && defense.SilentRegistration && errors.Is(err, account.ErrEmailTaken) {
		return r.pretendCreate(ctx, p, origin)
	}
	return a, err
}

// pretendCreate returns the account that p would have got. The audit event that
// it writes takes as long to commit as an account. Where a new account would cause a
// mail, the owner of the address gets the same one, unless the address is verified:
// then the statements are the same and add nothing.
func (r *Registrar) pretendCreate(ctx context.Context, p NewAccount, origin audit.Origin) (account.Account, error) {
	a := r.newAccount(p)
	err := r.DB.Update(ctx, func(tx *store.Tx) error {
		owner, _, err := tx.AccountByEmail(ctx, p.Email.Lookup())
		if errors.Is(err, account.ErrNotFound) {
			return nil // just deleted, so the event would concern nobody
		}
		if err != nil {
			return err
		}
		if r.Rules.Verifies() {
			asked := owner
			if owner.EmailVerifiedAt != nil {
				asked.ID = "" // nobody
			}
			if _, err := r.Outbox.Verify(ctx, tx, asked, a.CreatedAt); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, audit.New(audit.RegistrationRefused, owner.ID, origin, a.CreatedAt))
	})
	r.Outbox.Wake()
	return a, err
}

// newAccount returns a new account for p.
func (r *Registrar) newAccount(p NewAccount) account.Account {
	now := r.Now().UTC().Truncate(time.Microsecond)
	return account.Account{
		ID: account.NewID(), Email: p.Email, LegacyEmail: p.Spelled, FullName: p.FullName, Role: p.Role,
		Preferences: document.Empty, CreatedAt: now, UpdatedAt: now,
	}
}

// Create creates the account, the desired state of its Nextcloud account and
// the audit event in one transaction. by proves the administrator who creates
// it, who must still be one at the commit; the zero proof stands for the user
// or the operator. Exactly one of several concurrent calls with the same
// address succeeds, and the others get [account.ErrEmailTaken]. A registered
// address costs the same hash as a new one. The address need not be verified:
// whoever creates the account for its user vouches for it.
func (r *Registrar) Create(
	ctx context.Context, p NewAccount, by signin.Proof, origin audit.Origin,
) (account.Account, error) {
	return r.create(ctx, p, account.NoVerification, by, origin)
}

// create is [Registrar.Create]. v is what the user may not do before the address is
// verified.
func (r *Registrar) create(
	ctx context.Context, p NewAccount, v account.Verification, by signin.Proof, origin audit.Origin,
) (account.Account, error) {
	hash, err := r.Passwords.Hash(ctx, p.Password)
	if err != nil {
		return account.Account{}, password.InField("password", err)
	}
	if _, err := r.DB.CanonicalizeEmails(ctx); err != nil {
		return account.Account{}, err
	}
	a := r.newAccount(p)
	a.Verification = v
	now := a.CreatedAt
	event := audit.New(audit.Registered, a.ID, origin, now)
	event.Actor = by.User()
	err = r.update(ctx, by, now, func(tx *store.Tx, _ store.Actor) error {
		if err := tx.CreateAccount(ctx, a, hash); err != nil {
			return err
		}
		if err := r.Desired.Registered(ctx, tx, a, p.Password.Reveal(), now); err != nil {
			return err
		}
		if a.AwaitsVerification() {
			if err := r.askToVerify(ctx, tx, a, now); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return account.Account{}, err
	}
	r.Desired.Wake()
	r.Outbox.Wake()
	return a, nil
}

// askToVerify adds a mail that asks the user to verify the address, and delays the
// account in Nextcloud until then. A mailbox that got too many mails gets none: the
// user requests another one later.
func (r *Registrar) askToVerify(ctx context.Context, tx *store.Tx, a account.Account, now time.Time) error {
	if err := tx.HoldNextcloud(ctx, a.ID); err != nil {
		return err
	}
	_, err := r.Outbox.Verify(ctx, tx, a, now)
	return err
}

// update runs fn in a transaction, which requires an administrator unless by is
// the zero proof; then the Actor is empty, too.
func (r *Registrar) update(ctx context.Context, by signin.Proof, now time.Time, fn func(tx *store.Tx, by store.Actor) error) error {
	if by == (signin.Proof{}) {
		return r.DB.Update(ctx, func(tx *store.Tx) error { return fn(tx, store.Actor{}) })
	}
	return r.DB.UpdateAs(ctx, by.AsAdmin(), now, fn)
}
