package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// Codes of the last failure of an account, for clients and administrators. They
// are stable; docs/api.md lists them.
const (
	IDTaken         = "id_taken"              // an account that is not the gateway's has the id
	AdminRefused    = "admin_refused"         // Nextcloud rejects the administrator's credentials
	RateLimited     = "rate_limited"          // Nextcloud's rate limit is reached
	Unavailable     = "nextcloud_unavailable" // down, in maintenance, or too slow
	Removed         = "account_removed"       // somebody removed the account; it is created again
	PasswordLost    = "password_lost"         // no key opens a sealed password; the next change sets one
	PasswordRefused = "password_refused"      // Nextcloud's policy rejects it; the account keeps its old one
	NoAppPassword   = "app_password_refused"  // the files cannot be reached until the next login supplies the password
	Refused         = "refused"               // Nextcloud rejects the request
	Unexpected      = "unexpected_answer"     // the response is not one of Nextcloud
	EmailTaken      = "email_taken"           // an account that is not the gateway's has the e-mail address
	EmailAmbiguous  = "email_unclear"         // too many accounts match the e-mail address to tell whether one has it
	ClaimRequired   = "claim_required"        // the user has to claim the account
	EmailUnverified = "email_unverified"      // the user has to verify the address first; never stored
	NotAdoptable    = "not_adoptable"         // the account was linked, and is an administrator of Nextcloud now
)

const (
	maxAttempts  = 8                // failures in a row, outages aside, after which an account has failed
	firstPause   = 5 * time.Second  // after the first failure; each further one doubles it
	longestPause = 15 * time.Minute //
	coolDown     = 5 * time.Minute  // after rejected credentials: each try counts against the whole network
)

// fail sets the outcome of an attempt that failed: what went wrong, and when to
// try again. The error is of the database or of ctx.
func (a *attempt) fail(ctx context.Context, failure error, now time.Time) (err error) {
	o := &a.outcome
	o.Status, o.Attempts = desired.Pending, a.account.Attempts
	wait, counts := time.Duration(0), false // counts: it is a failure of this account
	inTheWay, conflicts := errors.AsType[*conflict](failure)
	switch {
	case conflicts:
		o.LastError, o.Status, o.ConflictID = inTheWay.code, desired.Conflict, inTheWay.id
		return nil
	case errors.Is(failure, errEmailAmbiguous):
		o.LastError, o.Status = EmailAmbiguous, desired.Failed // another attempt would have the same result
		return nil
	case errors.Is(failure, errIDBeingDeleted):
		o.LastError, wait = EmailTaken, firstPause
	case errors.Is(failure, errRemoved):
		o.LastError = Removed
	case errors.Is(failure, errInitialPasswordLost):
		o.LastError = PasswordLost
	case isRefusal(failure):
		// The account stays due: it waits for the circuit breaker, and no longer
		// once other credentials are configured.
		o.LastError = AdminRefused
		err = a.recordRefusal(ctx, now)
	case errors.Is(failure, ocs.ErrRateLimited):
		// It limits edits; other accounts may need none.
		o.LastError, wait = RateLimited, a.untilEdits(failure, now)
		if !errors.Is(failure, errEditsPaused) {
			err = a.db.PauseNextcloudEdits(ctx, now.Add(max(ocs.RetryAfter(failure), firstPause)))
		}
	case isOutage(failure):
		// Either Nextcloud is down and the probe opens the circuit breaker, or
		// Nextcloud fails at this account alone.
		o.LastError = codeOf(failure)
		counts, err = a.probe(ctx)
	default:
		o.LastError, counts = codeOf(failure), true
	}
	if counts {
		o.Attempts++
		wait = max(ocs.RetryAfter(failure), pause(o.Attempts))
	}
	slog.LogAttrs(ctx, slog.LevelWarn, "account in Nextcloud",
		slog.String("user_id", string(a.account.UserID)), slog.String("code", o.LastError),
		slog.Int("attempts", o.Attempts), slog.String("cause", failure.Error()))
	if isSlow := errors.Is(failure, context.DeadlineExceeded); counts && (isSlow || isOutage(failure)) {
		o.Attempts = min(o.Attempts, maxAttempts-1) // a slow server makes no account fail for good
	}
	if o.Attempts >= maxAttempts {
		o.Status = desired.Failed
		return err
	}
	due := now.Add(wait)
	o.DueAt = &due
	return err
}

// codeOf returns the code of a failure of one account.
func codeOf(failure error) string {
	switch {
	case errors.Is(failure, errEmailInUse):
		return EmailTaken
	case errors.Is(failure, ocs.ErrBadAnswer):
		return Unexpected
	case errors.Is(failure, ocs.ErrUnavailable), errors.Is(failure, ocs.ErrUncertain),
		errors.Is(failure, errFilesUnreachable), errors.Is(failure, errRevocation):
		return Unavailable
	case errors.Is(failure, ocs.ErrRefused):
		return Refused
	}
	return Unexpected
}

// pause returns how long to wait after so many failures in a row, with jitter.
func pause(failures int) time.Duration {
	d := longestPause
	if failures < 10 {
		d = min(d, firstPause<<(failures-1))
	}
	return d - d/4 + rand.N(d/2)
}

// untilEdits returns how long an account waits for its next edit: until Nextcloud
// accepts edits again, and a random time more, so that accounts do not come at once.
func (a *attempt) untilEdits(failure error, now time.Time) time.Duration {
	wait := max(ocs.RetryAfter(failure), firstPause)
	if until := a.breaker.EditsPausedUntil; until != nil {
		wait = max(wait, until.Sub(now))
	}
	return wait + rand.N(wait/2)
}
