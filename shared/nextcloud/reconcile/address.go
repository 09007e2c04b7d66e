package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// Nextcloud lets users log in with their e-mail address, as long as no second
// account has it. So the gateway never sets an address that another account has.

const (
	searchPage  = 50 // accounts in one response
	searchPages = 4  // of one search; few addresses are part of another one
)

// Errors of the search for an e-mail address.
var (
	errEmailAmbiguous = errors.New("too many accounts match the address to tell who has it")
	errEmailInUse     = errors.New("another account of the gateway still has the address")
	errIDBeingDeleted = errors.New("the account that has the id is being deleted")
)

// checkFree returns a conflict if the id or the e-mail address of an account that is to be
// created belongs to another account. An account whose id the search does not find (of
// another user backend) prevents the creation later.
func (a *attempt) checkFree(ctx context.Context) error {
	users, err := a.search(ctx, a.account.Email)
	if err == nil && a.isNew() {
		if i := slices.IndexFunc(users, func(u ocs.User) bool { return strings.EqualFold(u.ID, a.account.NextcloudID) }); i >= 0 {
			err = &conflict{users[i].ID, IDTaken}
		}
	}
	return a.emailFree(ctx, users, err)
}

// checkEmailFree returns a conflict if another account has the e-mail address.
func (a *attempt) checkEmailFree(ctx context.Context) error {
	users, err := a.search(ctx, a.account.Email)
	return a.emailFree(ctx, users, err)
}

// emailFree is [attempt.checkEmailFree] with the result of the search.
func (a *attempt) emailFree(ctx context.Context, users []ocs.User, err error) error {
	a.trace("asked for the address")
	if err != nil {
		return err
	}
	id, err := a.accountWithEmail(ctx, a.account, users)
	if err == nil && id != "" {
		err = &conflict{id, EmailTaken}
	}
	return err
}

// accountWithEmail returns the id of another account among users that has the
// e-mail address of n, or "". Accounts that the gateway disabled or is about to
// delete do not count: nobody logs in to them. It returns errEmailInUse if the
// gateway is about to change that account's address.
func (r *Reconciler) accountWithEmail(ctx context.Context, n desired.Account, users []ocs.User) (string, error) {
	inUse := false
	for _, u := range withEmail(users, n.Email) {
		if strings.EqualFold(u.ID, n.NextcloudID) {
			continue
		}
		other, userDeleted, err := r.db.NextcloudAccountByID(ctx, u.ID)
		switch {
		case errors.Is(err, account.ErrNotFound), err == nil && userDeleted:
			return u.ID, nil
		case err != nil:
			return "", err
		}
		inUse = inUse || other.State == desired.Present
	}
	if inUse {
		return "", errEmailInUse
	}
	return "", nil
}

// search returns the accounts in Nextcloud whose e-mail address, id or name contains the
// e-mail address.
func (r *Reconciler) search(ctx context.Context, email account.Email) (found []ocs.User, err error) {
	terms := []string{string(email)}
	if ascii := email.ASCII(); ascii != terms[0] {
		terms = append(terms, ascii)
	}
	for _, term := range terms {
		for page := 0; ; page++ {
			if page == searchPages {
				return nil, errEmailAmbiguous
			}
			users, err := r.nextcloud.SearchUsers(ctx, term, searchPage, page*searchPage)
			if err != nil {
				return nil, err
			}
			found = append(found, users...)
			if len(users) < searchPage {
				break
			}
		}
	}
	return found, nil
}

// withEmail returns those of the accounts that have the e-mail address: enabled ones
// first, then by id.
func withEmail(users []ocs.User, email account.Email) []ocs.User {
	found := slices.DeleteFunc(slices.Clone(users), func(u ocs.User) bool { return !sameEmail(string(email), u.Email) })
	slices.SortFunc(found, func(a, b ocs.User) int {
		if a.Enabled != b.Enabled {
			return map[bool]int{true: -1, false: 1}[a.Enabled]
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return found
}

// useEmailAsID gives an account that was never created the e-mail address as its
// id, if the account of a deleted user had it at registration and no longer
// exists. While that account is being deleted, it returns errIDBeingDeleted, for
// a few minutes at most: after that, the account is created with its own id.
func (a *attempt) useEmailAsID(ctx context.Context) error {
	n := &a.account
	id := desired.NextcloudID(account.Account{ID: n.UserID, Email: n.Email}, a.policy.ByEmail)
	if n.NextcloudID != string(n.UserID) || n.NextcloudID == id || n.CreateAttempted || n.LastSyncedAt != nil {
		return nil
	}
	reserved, beingDeleted, err := a.db.ReserveNextcloudID(ctx, n.UserID, a.lease, id, a.now())
	a.trace("asked for the id")
	switch {
	case err != nil:
		return err
	case beingDeleted && a.now().Sub(n.CreatedAt) < longestPause:
		return errIDBeingDeleted
	case !reserved:
		return nil
	}
	n.NextcloudID = id
	if err := a.look(ctx); err != nil {
		return err
	}
	if a.actual != nil {
		return &conflict{a.actual.ID, IDTaken}
	}
	return nil
}
