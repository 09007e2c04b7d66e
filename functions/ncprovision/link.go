package ncprovision

import (
	"context"
	"fmt"
	"net/http"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
)

type claim struct {
	Password secret.String `json:"password" validate:"required,max=469"` // the limit of Nextcloud
}

// claim links an account that already exists in Nextcloud to the caller. The
// password proves that account, and is not the caller's gateway password.
func (f *Function) claim(ctx context.Context, caller endpoint.Caller, q claim) (standing, error) {
	by := caller.Proof()
	if err := f.Auth.Recheck(ctx, by); err != nil {
		return standing{}, err
	}
	n, err := f.Reconciler.Claim(ctx, by, q.Password, caller.Event(audit.Claimed, caller.Account.ID, f.Now()))
	if err != nil {
		return standing{}, err
	}
	return f.standing(n), nil
}

type adopt struct {
	NextcloudUserID string `json:"nextcloud_user_id" validate:"max=64"` // "" for the conflicting account

	id account.ID
}

// Bind reads the id from the path.
func (q *adopt) Bind(r *http.Request) (err error) {
	q.id, err = account.ParseID(r.PathValue("user_id"))
	return err
}

// adopt links an account in Nextcloud to a user, who has to claim it.
func (f *Function) adopt(ctx context.Context, admin endpoint.Admin, q adopt) (entry, error) {
	by, now := admin.Proof(), f.Now()
	event := admin.Event(audit.Adopted, q.id, now)
	event.Actor = by.User() // also for the administrator's own account
	n, err := f.Reconciler.Adopt(ctx, q.id, q.NextcloudUserID, event, func(fn func(*store.Tx, store.Actor) error) error {
		return f.DB.UpdateAs(ctx, by, now, fn)
	})
	if err != nil {
		return entry{}, err
	}
	return f.entry(n, reconcile.Block{}), nil
}

// Instructions for the user of an account in conflict, or of one that waits.
const (
	verifyIt = "Your account in Nextcloud is created as soon as you have verified your e-mail address. Follow the link in " +
		"the mail, or request another one: POST /api/auth/request-verify-token."
	claimIt = "An account that already exists in Nextcloud conflicts with yours. If it is your own, claim it with its " +
		"Nextcloud password: POST /api/users/me/nextcloud/claim. Otherwise, ask your administrator."
	claimYours = "Your account in Nextcloud existed before the gateway was connected. Claim it with its Nextcloud password: " +
		"POST /api/users/me/nextcloud/claim."
)

// forOwner returns the error code of an account and the instructions for its owner. They
// do not reveal which account in Nextcloud has the registered e-mail address, nor whether
// it is the id or the address of that account.
func forOwner(n desired.Account) (code, detail *string) {
	result := func(c, d string) (*string, *string) { return orNull(c), orNull(d) }
	switch taken := n.LastError == reconcile.IDTaken || n.LastError == reconcile.EmailTaken; {
	case n.Held:
		return result(reconcile.EmailUnverified, verifyIt)
	case n.Status == desired.Conflict && n.LastError == reconcile.ClaimRequired:
		return result(n.LastError, claimYours)
	case n.Status == desired.Conflict && taken:
		return result(reconcile.IDTaken, claimIt)
	case taken, n.LastError == reconcile.EmailAmbiguous:
		return result(reconcile.Refused, "")
	}
	return result(n.LastError, "")
}

// forAdministrators returns the instructions for an account. They name the account that
// conflicts with it.
func forAdministrators(n desired.Account) *string {
	id, text := n.ConflictingID(), ""
	if n.Held {
		text = "The account is created as soon as the user has verified the e-mail address, or accepted the invitation."
		return &text
	}
	switch n.LastError {
	case reconcile.IDTaken:
		text = fmt.Sprintf("The account %q in Nextcloud has the id that this user's account would get. The user can claim it with its Nextcloud password, or you can adopt it for the user.", id)
	case reconcile.EmailTaken:
		text = fmt.Sprintf("The account %q in Nextcloud has this user's e-mail address. The user can claim it with its Nextcloud password, or you can adopt it for the user.", id)
		switch {
		case id == "" && n.Status == desired.Pending:
			text = "Another account that the gateway manages still has this user's e-mail address in Nextcloud. The gateway is about to change that, and then retries this account."
		case id == "":
			text = "Another account in Nextcloud has this user's e-mail address and keeps it."
		}
	case reconcile.EmailAmbiguous:
		text = "Too many accounts in Nextcloud match this user's e-mail address to tell whether one has it. Check them in Nextcloud: adopt the account that has the address, or correct the addresses and retry."
	case reconcile.ClaimRequired:
		text = fmt.Sprintf("The account %q in Nextcloud belongs to this user, who must claim it with its Nextcloud password.", id)
	case reconcile.NotAdoptable:
		text = fmt.Sprintf("The account %q in Nextcloud is an administrator there, so the gateway does not change it.", id)
	}
	return orNull(text)
}
