package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store"
)

// AnswerStep is the usual [Service.Step]. It is several times what the statements of a
// request take, so that nearly all responses take one step.
const AnswerStep = 250 * time.Millisecond

// A Service recovers accounts. It is safe for concurrent use.
type Service struct {
	DB        *store.DB
	Tokens    *linktoken.Codec
	Passwords *password.Hasher
	Desired   *desired.Recorder
	Outbox    *mail.Outbox
	Rules     account.Rules
	Limits    *ratelimit.Limiter
	Now       func() time.Time
	Step      time.Duration // responses to requests for mails take a multiple of it

	requests audit.Allowance
}

// Busy is [password.Hasher.Busy] of the hasher for new passwords.
func (s *Service) Busy() error { return s.Passwords.Busy() }

// RequestReset mails a link with which the user of the address can choose a new
// password. The result does not depend on whether there is such a user, who may be
// disabled, or on whether a mail is sent, and neither does the time that it takes: all
// cases execute the same statements, and the response waits for the next multiple of
// [Service.Step].
//
// Requests for one address are limited, whether or not it has an account. Requests over
// the limit do nothing and are not refused, because the owner of the address may be
// among those who make them, and has a mail already.
func (s *Service) RequestReset(ctx context.Context, email string, from audit.Origin) error {
	return s.request(ctx, email, from, audit.ResetRequested, func(tx *store.Tx, who account.Account, hash secret.String, now time.Time) error {
		_, err := s.Outbox.Reset(ctx, tx, who, hash, now)
		return err
	})
}

// RequestVerification mails a link that verifies the address, or the pending address of
// the user with that address. It does so as [Service.RequestReset] does. A verified user
// without a pending address gets no mail.
func (s *Service) RequestVerification(ctx context.Context, email string, from audit.Origin) error {
	return s.request(ctx, email, from, audit.VerificationRequested, func(tx *store.Tx, who account.Account, _ secret.String, now time.Time) error {
		if who.EmailVerifiedAt != nil && who.PendingEmail == "" {
			who = account.Account{Email: who.Email}
		}
		_, err := s.Outbox.Verify(ctx, tx, who, now)
		return err
	})
}

// mailer adds a mail for the account, which has no id if there is none.
type mailer func(tx *store.Tx, who account.Account, hash secret.String, now time.Time) error

func (s *Service) request(ctx context.Context, email string, from audit.Origin, name audit.Name, add mailer) error {
	to, err := account.ParseEmailLookup(email)
	if err != nil {
		var wrong fault.Fields
		wrong.Parse("email", err)
		return wrong.Err()
	}
	wait := s.even(ctx)
	defer wait()
	if s.Limits.Account(ctx, ratelimit.Password, string(name)+" "+to.Key()) != nil {
		return nil
	}
	now := s.Now()
	event := audit.New(name, "", from, now)
	keep, omitted := s.requests.Take(now)
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		who, hash, err := tx.AccountByEmail(ctx, to)
		switch {
		case errors.Is(err, account.ErrNotFound) && !defense.SilentRecovery:
			return err
		case errors.Is(err, account.ErrNotFound) && !defense.EvenRecovery:
			return nil
		case errors.Is(err, account.ErrNotFound):
			who = account.Account{Email: account.Email(to.Key())}
		case err != nil:
			return err
		}
		event.User, event.Detail = who.ID, ""
		if who.ID == "" {
			event.Detail = audit.UnknownAccount
		}
		if omitted > 0 {
			event.Detail += fmt.Sprintf("; before it, %d requests were only logged", omitted)
		}
		if err := add(tx, who, hash, now); err != nil || !keep {
			return err
		}
		return tx.Audit(ctx, event)
	})
	if err != nil {
		return err
	}
	if !keep {
		s.DB.LogEvent(ctx, event)
	}
	s.Outbox.Wake()
	return nil
}

// even returns a function that waits until a multiple of the step has passed since the
// call of even, or ctx ends. Whatever happens in between, its duration is not visible.
func (s *Service) even(ctx context.Context) (wait func()) {
	if s.Step <= 0 || !defense.EvenRecovery {
		return func() {}
	}
	steps := time.NewTicker(s.Step)
	return func() {
		defer steps.Stop()
		select {
		case <-steps.C: // a step that has passed already
		default:
		}
		select {
		case <-steps.C:
		case <-ctx.Done():
		}
	}
}
