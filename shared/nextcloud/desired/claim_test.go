package desired_test

import (
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

func TestClaimWait(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	try := func(user account.ID, id string, refused bool, ago time.Duration) desired.ClaimAttempt {
		return desired.ClaimAttempt{UserID: user, NextcloudID: id, Refused: refused, At: noon.Add(-ago)}
	}
	for name, test := range map[string]struct {
		earlier []desired.ClaimAttempt
		want    time.Duration
	}{
		"none": {nil, 0},
		"two attempts of the user": {[]desired.ClaimAttempt{
			try("ada", "x", true, time.Minute), try("ada", "x", true, 0),
		}, 0},
		"three attempts of the user in a day": {[]desired.ClaimAttempt{
			try("ada", "x", true, time.Minute), try("ada", "y", true, 5*time.Hour), try("ada", "z", true, time.Hour),
		}, 19 * time.Hour},
		"three attempts at the account by any user": {[]desired.ClaimAttempt{
			try("eve", "X", true, time.Hour), try("bob", "x", true, time.Hour), try("joe", "x", true, time.Hour),
		}, 23 * time.Hour},
		"lost attempts do not count for the account": {[]desired.ClaimAttempt{
			try("ada", "x", false, time.Hour), try("ada", "x", false, time.Hour), try("ada", "x", false, time.Hour),
		}, 0},
		"five attempts of all users in half an hour": {[]desired.ClaimAttempt{
			try("a", "1", true, time.Minute), try("b", "2", false, 10*time.Minute), try("c", "3", true, 20*time.Minute),
			try("d", "4", true, time.Minute), try("e", "5", true, time.Minute), try("f", "6", true, 40*time.Minute),
		}, 10 * time.Minute},
		"four attempts of all users": {[]desired.ClaimAttempt{
			try("a", "1", true, time.Minute), try("b", "2", true, time.Minute), try("c", "3", true, time.Minute),
			try("d", "4", true, time.Minute), try("e", "5", true, 31*time.Minute),
		}, 0},
	} {
		if got := desired.ClaimWait(desired.NewClaimAttempt("ada", "x", noon), test.earlier); got != test.want {
			t.Errorf("%s: got wait %v, want %v", name, got, test.want)
		}
	}
}
