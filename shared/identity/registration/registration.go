// Package enrol is the one way an account comes to be, whoever asks for it: the
// person at registration, an administrator, or the operator at the command
// line.
package registration

import (
	"context"
	"errors"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// An Registrar enrols people. It is safe for concurrent use.
type Registrar struct {
	DB        *store.DB
	Passwords *password.Hasher
	Desired   *desired.Recorder
	Now       func() time.Time
	Silent    bool // see [ReadSilent]
}

// ReadSilent reads REGISTRATION_CONFLICT: whether a person who registers an
// address that is taken is told so (reveal, the default) or is answered like
// everybody else (silent).
func ReadSilent(env *config.Env) bool {
	return env.OneOf("REGISTRATION_CONFLICT", "reveal", "silent") == "silent"
}

// A NewAccount is who is to be enrolled.
type NewAccount struct {
	Email    account.Email
	Spelled  account.Email // see [account.LegacyEmail]
	FullName string
	Role     account.Role
	Password password.Password
}

// Parse returns who is to be enrolled, or one fault that lists every input that
// is not acceptable under its name on the wire.
func Parse(email, fullName, role string, plain secret.String) (NewAccount, error) {
	var wrong fault.Fields
	p := NewAccount{
		Email:    fault.ParseField(&wrong, "email", email, account.ParseEmail),
		Spelled:  account.LegacyEmail(email),
		FullName: fault.ParseField(&wrong, "full_name", fullName, account.ParseName),
		Role:     fault.ParseField(&wrong, "role", role, account.ParseRole),
	}
	p.Password = fault.ParseField(&wrong, "password", plain, func(plain secret.String) (password.Password, error) {
		return password.Parse(plain.Reveal(), p.Email)
	})
	return p, wrong.Err()
}

// Register enrols a person who asks for it. In a silent office, a taken address
// is answered with an account that looks like a new one and is nobody's; the
// trail tells whom it would have concerned.
func (o *Registrar) Register(ctx context.Context, p NewAccount, origin audit.Origin) (account.Account, error) {
	a, err := o.Create(ctx, p, signin.Proof{}, origin)
	if o.Silent && defense.SilentRegistration && errors.Is(err, account.ErrEmailTaken) {
		return o.pretendCreate(ctx, p, origin)
	}
	return a, err
}

// pretendCreate returns the account that p would have got. The row that it writes is
// for reviewers, and takes as long to commit as an account.
func (o *Registrar) pretendCreate(ctx context.Context, p NewAccount, origin audit.Origin) (account.Account, error) {
	a := o.newAccount(p)
	err := o.DB.Update(ctx, func(tx *store.Tx) error {
		owner, _, err := tx.AccountByEmail(ctx, p.Email.Lookup())
		if errors.Is(err, account.ErrNotFound) {
			return nil // deleted this moment: there is nobody to tell it of
		}
		if err != nil {
			return err
		}
		return tx.Audit(ctx, audit.New(audit.RegistrationRefused, owner.ID, origin, a.CreatedAt))
	})
	return a, err
}

// newAccount returns a new account of p.
func (o *Registrar) newAccount(p NewAccount) account.Account {
	now := o.Now().UTC().Truncate(time.Microsecond)
	return account.Account{
		ID: account.NewID(), Email: p.Email, LegacyEmail: p.Spelled, FullName: p.FullName, Role: p.Role,
		Preferences: document.Empty, CreatedAt: now, UpdatedAt: now,
	}
}

// Create creates the account, the wish for its Nextcloud account and the audit
// row in one transaction. It is done by the administrator of the proof, who must
// be one when it is committed; the zero proof is the person, or the operator. Of
// concurrent calls with one e-mail address one succeeds and the
// others get [account.ErrEmailTaken]. A taken address costs the same hash as a
// free one.
func (o *Registrar) Create(
	ctx context.Context, p NewAccount, by signin.Proof, origin audit.Origin,
) (account.Account, error) {
	hash, err := o.Passwords.Hash(ctx, p.Password)
	if err != nil {
		return account.Account{}, err
	}
	if _, err := o.DB.CanonicalizeEmails(ctx); err != nil {
		return account.Account{}, err
	}
	a := o.newAccount(p)
	now := a.CreatedAt
	event := audit.New(audit.Registered, a.ID, origin, now)
	event.Actor = by.User()
	err = o.update(ctx, by, now, func(tx *store.Tx) error {
		if err := tx.CreateAccount(ctx, a, hash); err != nil {
			return err
		}
		if err := o.Desired.Registered(ctx, tx, a, p.Password.Reveal(), now); err != nil {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return account.Account{}, err
	}
	o.Desired.Wake()
	return a, nil
}

// update runs fn in a transaction, as an administrator where there is a proof.
func (o *Registrar) update(ctx context.Context, by signin.Proof, now time.Time, fn func(tx *store.Tx) error) error {
	if by == (signin.Proof{}) {
		return o.DB.Update(ctx, fn)
	}
	return o.DB.UpdateAs(ctx, by.AsAdmin(), now, func(tx *store.Tx, _ store.Actor) error { return fn(tx) })
}
