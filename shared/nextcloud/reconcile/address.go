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

// An address opens an account in Nextcloud only while no other account has it.
// So nobody gets an address that somebody else has there.

const (
	searchPage  = 50 // accounts that Nextcloud tells of in one call
	searchPages = 4  // of one search; an address is seldom a part of another
)

// What asking for the holder of an address can end with, besides the errors of
// the directory.
var (
	errEmailUnclear = errors.New("too many accounts match the address to tell who has it")
	errEmailBusy    = errors.New("another account of the gateway still has the address")
	errIDGoing      = errors.New("the account that has the id is being deleted")
)

// A conflict is an account in Nextcloud that is not ours and is in the way.
type conflict struct{ id, word string }

func (c *conflict) Error() string { return "an account that is not ours is in the way: " + c.word }

// emailHolder returns the id of the account in Nextcloud, other than n's own,
// that has n's address, or "". Accounts that the gateway disabled or is about to
// delete do not count: nobody signs in to them.
func (r *Reconciler) emailHolder(ctx context.Context, n desired.Account) (string, error) {
	users, err := r.withEmail(ctx, n.Email)
	if err != nil {
		return "", err
	}
	busy := false
	for _, u := range users {
		if strings.EqualFold(u.ID, n.NextcloudID) {
			continue
		}
		held, gone, err := r.db.NextcloudAccountByID(ctx, u.ID)
		switch {
		case errors.Is(err, account.ErrNotFound), err == nil && gone:
			return u.ID, nil
		case err != nil:
			return "", err
		}
		busy = busy || held.State == desired.Present
	}
	if busy {
		return "", errEmailBusy
	}
	return "", nil
}

// withEmail returns the accounts in Nextcloud that have the address: enabled
// ones first, then by id. Nextcloud finds those that contain it, in the id or the
// name, too.
func (r *Reconciler) withEmail(ctx context.Context, email account.Email) (found []ocs.User, err error) {
	words := []string{string(email)}
	if ascii := email.ASCII(); ascii != words[0] {
		words = append(words, ascii)
	}
	for _, word := range words {
		for page := 0; ; page++ {
			if page == searchPages {
				return nil, errEmailUnclear
			}
			users, err := r.directory.SearchUsers(ctx, word, searchPage, page*searchPage)
			if err != nil {
				return nil, err
			}
			for _, u := range users {
				if sameEmail(string(email), u.Email) {
					found = append(found, u)
				}
			}
			if len(users) < searchPage {
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b ocs.User) int {
		if a.Enabled != b.Enabled {
			return map[bool]int{true: -1, false: 1}[a.Enabled]
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return found, nil
}

// takeAddress gives an account that was never made the address as its id, if
// a deleted user's account had it at registration and is gone by now. It is
// errIDGoing while that is being deleted, for some minutes at most: then the
// account is made with its own id.
func (t *try) takeAddress(ctx context.Context) error {
	n := &t.account
	id := desired.NextcloudID(account.Account{ID: n.UserID, Email: n.Email}, t.byEmail)
	if n.NextcloudID != string(n.UserID) || n.NextcloudID == id || n.CreateAttempted || n.LastSyncedAt != nil {
		return nil
	}
	taken, going, err := t.db.ReserveNextcloudID(ctx, n.UserID, t.lease, id, t.now())
	t.reached("asked for the id")
	switch {
	case err != nil:
		return err
	case going && t.now().Sub(n.CreatedAt) < longestPause:
		return errIDGoing
	case !taken:
		return nil
	}
	n.NextcloudID = id
	u, err := t.look(ctx)
	switch {
	case err == nil:
		return &conflict{u.ID, IDTaken}
	case errors.Is(err, ocs.ErrNoUser):
		return nil
	}
	return err
}

// unheld returns nil where nobody else has the address, or the conflict.
func (t *try) unheld(ctx context.Context) error {
	holder, err := t.emailHolder(ctx, t.account)
	t.reached("asked for the address")
	if err == nil && holder != "" {
		err = &conflict{holder, EmailTaken}
	}
	return err
}

// changeEmail sets the address, unless somebody else has it: the account goes on
// with its old one then.
func (t *try) changeEmail(ctx context.Context) error {
	err := t.unheld(ctx)
	_, taken := errors.AsType[*conflict](err)
	switch {
	case taken, errors.Is(err, errEmailBusy):
		t.outcome.LastError = EmailTaken
		return nil
	case errors.Is(err, errEmailUnclear):
		t.outcome.LastError = EmailAmbiguous
		return nil
	case err != nil:
		return err
	}
	return t.set(ctx, ocs.KeyEmail, string(t.account.Email))
}
