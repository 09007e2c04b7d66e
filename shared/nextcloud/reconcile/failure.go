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

// What went wrong last with an account, as clients and administrators see it:
// stable words, listed in docs/api.md.
const (
	IDTaken         = "id_taken"              // an account that is not ours has the id
	AdminRefused    = "admin_refused"         // Nextcloud refuses the administrator's credentials
	RateLimited     = "rate_limited"          // Nextcloud asks to wait
	Unavailable     = "nextcloud_unavailable" // down, in maintenance, or too slow
	Removed         = "account_removed"       // somebody removed it; it is made again
	PasswordLost    = "password_lost"         // a sealed password does not open; the next change sets one
	PasswordRefused = "password_refused"      // Nextcloud's policy refuses it; the account keeps its old one
	NoAppPassword   = "app_password_refused"  // the files cannot be reached until the next login hands the password over
	Refused         = "refused"               // Nextcloud refuses what we ask for
	Unexpected      = "unexpected_answer"     // what answers is not what we know as Nextcloud
	EmailTaken      = "email_taken"           // an account that is not ours has the address
	EmailAmbiguous  = "email_unclear"         // too many accounts match the address to tell whether one has it
	ClaimRequired   = "claim_required"        // the account is the user's, and nothing opens it until they claim it
	NotAdoptable    = "not_adoptable"         // the account was linked, and administers Nextcloud now
)

const (
	maxAttempts  = 8                // failures in a row that are not Nextcloud's being down; then it is parked
	firstPause   = 5 * time.Second  // after the first failure; each further one doubles it
	longestPause = 15 * time.Minute //
	coolDown     = 5 * time.Minute  // after a refused administrator: each try is a strike against the whole subnet
)

// failed decides what becomes of an account after a failure. The error is of
// the database or of ctx.
func (r *Reconciler) failed(ctx context.Context, t *try, failure error, now time.Time) (err error) {
	o := &t.outcome
	o.Status, o.Attempts = desired.Pending, t.account.Attempts
	wait, its := time.Duration(0), false
	inTheWay, conflicts := errors.AsType[*conflict](failure)
	switch {
	case conflicts:
		o.LastError, o.Status, o.ConflictID = inTheWay.word, desired.Conflict, inTheWay.id
		return nil
	case errors.Is(failure, errEmailUnclear):
		o.LastError, o.Status = EmailAmbiguous, desired.Failed // trying again would cost as much, and tell as little
		return nil
	case errors.Is(failure, errIDGoing):
		o.LastError, wait = EmailTaken, firstPause // no fault of this account's
	case errors.Is(failure, errLost):
		o.LastError = Removed
	case errors.Is(failure, errKeyLost):
		o.LastError = PasswordLost
	case isRefusal(failure):
		// The account stays due: it waits for the gate, and not once other
		// credentials are configured.
		o.LastError = AdminRefused
		err = r.refused(ctx, now)
	case errors.Is(failure, ocs.ErrRateLimited):
		// One caller's limit: other accounts may need no call that counts.
		o.LastError, wait = RateLimited, r.paced(failure, t, now)
		if !errors.Is(failure, errPaced) {
			err = r.db.PauseNextcloudEdits(ctx, now.Add(max(ocs.RetryAfter(failure), firstPause)))
		}
	case isOutage(failure):
		// Of everybody, in which case the gate is closed now; or Nextcloud fails
		// at this account alone.
		o.LastError = wordFor(failure)
		its, err = r.ask(ctx)
	default:
		o.LastError, its = wordFor(failure), true
	}
	if its {
		o.Attempts++
		wait = max(ocs.RetryAfter(failure), pause(o.Attempts))
	}
	slog.LogAttrs(ctx, slog.LevelWarn, "account in Nextcloud",
		slog.String("user_id", string(t.account.UserID)), slog.String("code", o.LastError),
		slog.Int("attempts", o.Attempts), slog.String("cause", failure.Error()))
	if isSlow := errors.Is(failure, context.DeadlineExceeded); its && (isSlow || isOutage(failure)) {
		o.Attempts = min(o.Attempts, maxAttempts-1) // a slow server gives nobody up
	}
	if o.Attempts >= maxAttempts {
		o.Status = desired.Failed
		return err
	}
	due := now.Add(wait)
	o.DueAt = &due
	return err
}

// wordFor returns the word for a failure of one account.
func wordFor(failure error) string {
	switch {
	case errors.Is(failure, errEmailBusy):
		return EmailTaken
	case errors.Is(failure, ocs.ErrBadAnswer):
		return Unexpected
	case errors.Is(failure, ocs.ErrUnavailable), errors.Is(failure, ocs.ErrUncertain),
		errors.Is(failure, errFiles), errors.Is(failure, errRevoke):
		return Unavailable
	case errors.Is(failure, ocs.ErrRefused):
		return Refused
	}
	return Unexpected
}

// pause returns how long to wait after so many failures, with jitter.
func pause(attempts int) time.Duration {
	d := longestPause
	if attempts < 10 {
		d = min(d, firstPause<<(attempts-1))
	}
	return d - d/4 + rand.N(d/2)
}

// paced returns how long an account waits whose edit was one too many: until
// edits are taken again, and a while, so that not all come at once.
func (r *Reconciler) paced(failure error, t *try, now time.Time) time.Duration {
	wait := max(ocs.RetryAfter(failure), firstPause)
	if until := t.gate.EditsPausedUntil; until != nil {
		wait = max(wait, until.Sub(now))
	}
	return wait + rand.N(wait/2)
}
