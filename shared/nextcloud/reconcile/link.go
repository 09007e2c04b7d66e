package reconcile

import (
	"context"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// linkable reports whether the account may be linked to a user: Nextcloud's own
// database holds it, and it administers nothing. Otherwise, whoever takes over an
// account of the gateway would take over Nextcloud, if passwords are passed on.
func (r *Reconciler) linkable(u ocs.User) bool {
	return u.Backend == ocs.OwnBackend && !slices.Contains(u.Groups, ocs.AdminGroup) &&
		len(u.AdminOf) == 0 && !strings.EqualFold(u.ID, r.admin)
}

// hasForeignPassword reports whether the account was claimed and still has a
// password that the gateway does not know.
func (a *attempt) hasForeignPassword() bool {
	return a.account.Link == desired.Claimed && !a.outcome.HasUserPassword
}

// dropProof discards the password with which the user claimed the account, once
// the gateway has an app password or the proof no longer opens the account. In the
// latter case, the user has to claim it again.
func (a *attempt) dropProof() error {
	if a.account.Link != desired.Claimed {
		return nil
	}
	a.outcome.InitialPassword = []byte(desired.Spent)
	if a.hasForeignPassword() && a.outcome.LastError == NoAppPassword {
		return &conflict{a.actual.ID, ClaimRequired}
	}
	return nil
}

// release lets go of a linked account whose user was deleted: it revokes the app
// passwords that the gateway issued, and changes nothing else.
func (a *attempt) release(ctx context.Context) error {
	if a.actual == nil {
		return nil
	}
	return a.revokeAppPasswords(ctx)
}
