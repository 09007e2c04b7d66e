// Package codes checks the codes of second factors: those of the user's app (TOTP,
// RFC 6238) and backup codes. Each code is accepted once, and few wrong ones are
// checked for each account. Begin with [Checker].
package codes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/seal"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/mfa"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/store"
)

// The parameters of the codes. Many apps ignore other ones.
const (
	Period = 30 * time.Second // the time step (RFC 6238 section 5.2)
	skew   = 1                // accepted steps before and after the present one, for clocks that differ
)

// A Checker checks codes. It is safe for concurrent use, also by several processes.
type Checker struct {
	db  *store.DB
	box *seal.Box
	now func() time.Time
}

// New returns a Checker that opens secrets with keys of the ring.
func New(db *store.DB, ring *keyring.Ring, now func() time.Time) *Checker {
	return &Checker{db: db, box: mfa.NewBox(ring), now: now}
}

// Box returns the box that seals the secrets of factors.
func (c *Checker) Box() *seal.Box { return c.box }

// Confirm returns by with the proof that the code is right, and uses the code up. It
// returns [mfa.ErrBadCode] for a wrong one, and [mfa.ErrTooManyCodes] if the account
// got too many.
func (c *Checker) Confirm(
	ctx context.Context, by signin.Proof, from audit.Origin, code secret.String, purpose string,
) (signin.Proof, error) {
	now := c.now()
	event := audit.New(audit.CodeRefused, by.User(), from, now)
	event.Login, event.Detail = by.Login(), purpose
	err := c.Attempt(ctx, mfa.ErrBadCode, event, func(tx *store.Tx) error {
		if _, err := tx.Authorize(ctx, by, now); err != nil {
			return err
		}
		f, err := tx.SecondFactor(ctx, by.User())
		switch {
		case err != nil:
			return err
		case !f.Enabled():
			return mfa.ErrNotEnabled
		}
		return c.Take(ctx, tx, f, mfa.ParseCode(code), event)
	})
	if err != nil {
		return signin.Proof{}, err
	}
	return by.WithCode(), nil
}

// errWrong is returned by [Checker.Take] for a wrong code.
var errWrong = errors.New("wrong code")

// Attempt runs fn, which calls [Checker.Take], in a transaction. If the code is wrong,
// it commits what fn has written, with the event, and returns wrong.
func (c *Checker) Attempt(ctx context.Context, wrong error, event audit.Event, fn func(tx *store.Tx) error) error {
	var refused bool
	err := c.db.Update(ctx, func(tx *store.Tx) error {
		err := fn(tx)
		if refused = errors.Is(err, errWrong); refused {
			return tx.Audit(ctx, event)
		}
		return err
	})
	if err == nil && refused {
		return wrong
	}
	return err
}

// Take uses up the code of f in tx. The event says who sent it, and when. For a wrong
// code, Take counts it and returns an error that [Checker.Attempt] expects. If the
// account got too many, it returns [mfa.ErrTooManyCodes] without checking the code.
func (c *Checker) Take(ctx context.Context, tx *store.Tx, f mfa.Factor, code mfa.Code, event audit.Event) error {
	if wait := f.Wait(event.At); wait > 0 && defense.WrongCodeLimit {
		return mfa.ErrTooManyCodes.After(wait)
	}
	key, err := c.box.Open(f.Sealed, string(f.User))
	if err != nil {
		return fmt.Errorf("secret of the second factor: %w", err)
	}
	right, err := take(ctx, tx, f, code, key, event)
	if err != nil || right {
		return err
	}
	if err := tx.RecordWrongCode(ctx, f, event.At); err != nil {
		return err
	}
	return errWrong
}

// take uses up the code if it is right.
func take(ctx context.Context, tx *store.Tx, f mfa.Factor, code mfa.Code, key secret.String, event audit.Event) (bool, error) {
	if !code.Backup() {
		step, ok := Match(key, code.TOTP(), event.At)
		if !ok {
			return false, nil
		}
		return tx.TakeStep(ctx, f, step)
	}
	right, err := tx.TakeBackupCode(ctx, f, code.BackupHash(key))
	if err != nil || !right {
		return false, err
	}
	remaining, err := tx.CountBackupCodes(ctx, f.User)
	if err != nil {
		return false, err
	}
	event.Name, event.Detail = audit.BackupCodeUsed, fmt.Sprintf("%s; %d remain", event.Detail, remaining)
	event.ID = audit.New(event.Name, event.User, event.Origin, event.At).ID
	return true, tx.Audit(ctx, event)
}

// Match returns the time step of the code, within one step of now, or false if the
// code is wrong. key is in base32.
func Match(key, code secret.String, now time.Time) (step int64, ok bool) {
	present := now.Unix() / int64(Period/time.Second)
	for step := present - skew; step <= present+skew; step++ {
		right, err := hotp.ValidateCustom(code.Reveal(), uint64(step), key.Reveal(),
			hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && right {
			return step, true
		}
	}
	return 0, false
}
