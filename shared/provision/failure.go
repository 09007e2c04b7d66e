package provision

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/wish"
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
	NoAppPassword   = "app_password_refused"  // the files cannot be reached until the password changes
	Refused         = "refused"               // Nextcloud refuses what we ask for
	Unexpected      = "unexpected_answer"     // what answers is not what we know as Nextcloud
)

const (
	maxAttempts  = 8                // failures in a row that are not Nextcloud's being down; then it is parked
	firstPause   = 5 * time.Second  // after the first failure; each further one doubles it
	longestPause = 15 * time.Minute //
	coolDown     = 5 * time.Minute  // after a refused administrator: each try is a strike against the whole subnet
)

// failed decides what becomes of an account after a failure.
func (r *Reconciler) failed(ctx context.Context, t *try, failure error, now time.Time) {
	o := &t.outcome
	o.Status, o.Attempts = wish.Pending, t.account.Attempts
	wait := time.Duration(0)
	switch {
	case errors.Is(failure, errConflict):
		o.LastError, o.Status = IDTaken, wish.Conflict
		return
	case errors.Is(failure, errLost):
		o.LastError = Removed
	case errors.Is(failure, errKeyLost):
		o.LastError = PasswordLost
	case errors.Is(failure, nextcloud.ErrUnauthorized), errors.Is(failure, nextcloud.ErrForbidden):
		o.LastError, wait = AdminRefused, coolDown
		r.close(now.Add(coolDown))
	case errors.Is(failure, nextcloud.ErrRateLimited):
		// One caller's limit: other accounts may need no call that counts.
		o.LastError, wait = RateLimited, max(nextcloud.RetryAfter(failure), firstPause)
	case errors.Is(failure, nextcloud.ErrUnavailable):
		o.LastError, wait = Unavailable, r.outage(failure, now)
	case errors.Is(failure, nextcloud.ErrBadAnswer) && !errors.Is(failure, nextcloud.ErrUncertain):
		// To a call that only reads: a proxy's error page, or no Nextcloud at all.
		o.LastError, wait = Unexpected, r.outage(failure, now)
	default:
		// Of this account alone: a try begins with a call that only reads, so a
		// Nextcloud that is down, or has locked us out, shows itself there.
		o.LastError = wordFor(failure)
		o.Attempts++
		wait = max(nextcloud.RetryAfter(failure), pause(o.Attempts))
	}
	slog.LogAttrs(ctx, slog.LevelWarn, "account in Nextcloud",
		slog.String("user_id", string(t.account.UserID)), slog.String("code", o.LastError),
		slog.Int("attempts", o.Attempts), slog.String("cause", failure.Error()))
	if o.Attempts >= maxAttempts {
		o.Status = wish.Failed
		return
	}
	due := now.Add(wait)
	o.DueAt = &due
}

// wordFor returns the word for a failure of one account.
func wordFor(failure error) string {
	switch {
	case errors.Is(failure, nextcloud.ErrBadAnswer):
		return Unexpected
	case errors.Is(failure, nextcloud.ErrUncertain):
		return Unavailable
	case errors.Is(failure, nextcloud.ErrRefused):
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

// open reports whether Nextcloud may be called.
func (r *Reconciler) open(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !now.Before(r.closedUntil)
}

// close stops all calls of this reconciler until then.
func (r *Reconciler) close(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until.After(r.closedUntil) {
		r.closedUntil = until
	}
}

// outage stops all calls for as long as Nextcloud asks, or longer with each
// failure in a row.
func (r *Reconciler) outage(failure error, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unavailable++
	wait := max(nextcloud.RetryAfter(failure), pause(r.unavailable))
	if until := now.Add(wait); until.After(r.closedUntil) {
		r.closedUntil = until
	}
	return wait
}

// worked notes that Nextcloud answered.
func (r *Reconciler) worked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unavailable = 0
}
