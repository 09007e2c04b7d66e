package account_test

import (
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// TestRules_FollowTheSetting also covers accounts that are older than the setting.
func TestRules_FollowTheSetting(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, test := range []struct {
		rule, of account.Verification
		verified *time.Time
		may      bool
	}{
		{account.NoVerification, account.BeforeSigningIn, nil, true},
		{account.BeforeStorage, account.BeforeSigningIn, nil, true},
		{account.BeforeSigningIn, account.NoVerification, nil, true},
		{account.BeforeSigningIn, account.BeforeStorage, nil, true},
		{account.BeforeSigningIn, account.BeforeSigningIn, nil, false},
		{account.BeforeSigningIn, account.BeforeSigningIn, &now, true},
	} {
		a := account.Account{Verification: test.of, EmailVerifiedAt: test.verified}
		if got := (account.Rules{Verification: test.rule}).MayLogIn(a); got != test.may {
			t.Errorf("%+v: got %t", test, got)
		}
	}
}
