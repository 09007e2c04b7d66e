package desired

import (
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// ErrAlreadyLinked is returned if an account in Nextcloud already belongs to another
// user, or the user already has another one.
var ErrAlreadyLinked = fault.New(fault.Conflict, "already_linked",
	"The user already has another account in Nextcloud, or the account belongs to another user.")

// Limits of password attempts on accounts in Nextcloud that the gateway did not
// create. Nextcloud counts failed logins by network address, which is the gateway's
// for all of its users, and locks it out after eleven of them in 30 minutes.
const (
	attemptsPerAccount = 3 // rejected attempts, by one user or on one account
	attemptsInTotal    = 5 // rejected attempts, and those with an unknown result

	// AttemptsPerAccountWindow is the time in which attemptsPerAccount are allowed.
	AttemptsPerAccountWindow = 24 * time.Hour
	// AttemptsInTotalWindow is the time in which attemptsInTotal are allowed.
	AttemptsInTotalWindow = 30 * time.Minute
)

// A ClaimAttempt is a password that was tried on an account in Nextcloud and, as far
// as is known, was wrong.
type ClaimAttempt struct {
	ID          string // a UUIDv7
	UserID      account.ID
	NextcloudID string
	Refused     bool // also while the result is pending; false if the result is lost
	At          time.Time
}

// NewClaimAttempt returns an attempt to record before it is made.
func NewClaimAttempt(user account.ID, nextcloudID string, now time.Time) ClaimAttempt {
	return ClaimAttempt{ID: uid.New(), UserID: user, NextcloudID: nextcloudID, Refused: true, At: now}
}

// ClaimWait returns how long the next attempt has to wait because of the earlier
// ones, which can be in any order; 0 if it need not wait.
func ClaimWait(next ClaimAttempt, earlier []ClaimAttempt) time.Duration {
	var same, all []time.Time
	for _, t := range earlier {
		all = append(all, t.At)
		if t.Refused && (t.UserID == next.UserID || strings.EqualFold(t.NextcloudID, next.NextcloudID)) {
			same = append(same, t.At)
		}
	}
	return max(wait(same, attemptsPerAccount, AttemptsPerAccountWindow, next.At), wait(all, attemptsInTotal, AttemptsInTotalWindow, next.At))
}

// wait returns how long it takes until fewer than n of the times are within the
// window.
func wait(times []time.Time, n int, window time.Duration, now time.Time) time.Duration {
	if len(times) < n {
		return 0
	}
	slices.SortFunc(times, time.Time.Compare)
	return max(0, times[len(times)-n].Add(window).Sub(now))
}
