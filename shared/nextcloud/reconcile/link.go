package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// What a try does about an account that the gateway did not make.

// adoptable reports whether the account may become a user's: it is kept in
// Nextcloud's own database and administers nothing. Else whoever gets at an
// account of the gateway, where passwords are passed on, would get at Nextcloud.
func (r *Reconciler) adoptable(u ocs.User) bool {
	return u.Backend == ocs.OwnBackend && !slices.Contains(u.Groups, ocs.AdminGroup) &&
		len(u.AdminOf) == 0 && !strings.EqualFold(u.ID, r.admin)
}

// foreign reports whether the account was claimed, and still has a password that
// the gateway does not know.
func (t *try) foreign() bool { return t.account.Link == desired.Claimed && !t.outcome.HasUserPassword }

// forgetProof forgets the password with which the owner proved the account, once
// there is an app password, or it opens the account no more. Without either, the
// owner has to prove it again.
func (t *try) forgetProof(u ocs.User) error {
	if t.account.Link != desired.Claimed {
		return nil
	}
	t.outcome.InitialPassword = []byte(desired.Spent)
	if t.foreign() && t.outcome.LastError == NoAppPassword {
		return &conflict{u.ID, ClaimRequired}
	}
	return nil
}

// release lets go of an account whose user is gone: the app passwords that the
// gateway issued are revoked, and nothing else changes. looked is what looking
// for the account came to.
func (t *try) release(ctx context.Context, looked error) error {
	switch {
	case errors.Is(looked, ocs.ErrNoUser):
		return nil
	case looked != nil:
		return looked
	}
	return t.revoke(ctx)
}
