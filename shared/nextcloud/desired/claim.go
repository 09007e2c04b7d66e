package desired

import (
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// ErrAlreadyLinked is returned where an account in Nextcloud is another user's
// already, or a user has another one.
var ErrAlreadyLinked = fault.New(fault.Conflict, "already_linked",
	"The user already has another account in Nextcloud, or the account belongs to another user.")

// How many passwords may be tried at accounts in Nextcloud that the gateway did
// not make. Nextcloud counts refusals by address, which is the gateway's for all
// of its users, and locks it out after eleven in 30 minutes.
const (
	attemptsPerAccount = 3 // refused ones, of one user or at one account
	attemptsInTotal    = 5 // refused ones, and those of which it is not known

	// AttemptsPerAccountWindow is in which time attemptsPerAccount come back; older tries
	// count for nothing.
	AttemptsPerAccountWindow = 24 * time.Hour
	// AttemptsInTotalWindow is in which time attemptsInTotal come back.
	AttemptsInTotalWindow = 30 * time.Minute
)

// A ClaimAttempt is a password that was tried at an account in Nextcloud, and was not
// right as far as is known.
type ClaimAttempt struct {
	ID          string // a UUIDv7
	UserID      account.ID
	NextcloudID string
	Refused     bool // also while it is not known; false: what became of it will never be
	At          time.Time
}

// NewClaimAttempt returns a try that is about to be made.
func NewClaimAttempt(user account.ID, nextcloudID string, now time.Time) ClaimAttempt {
	return ClaimAttempt{ID: uid.New(), UserID: user, NextcloudID: nextcloudID, Refused: true, At: now}
}

// ClaimWait returns how long the next try has to wait because of the earlier ones,
// in whatever order; 0 for not at all.
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
