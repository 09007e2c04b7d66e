package registration

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/store"
)

// invitedDetail is the detail of [audit.Registered] for accounts whose users were
// invited.
const invitedDetail = "invited"

// LinkShown is in the detail of the event of a link that the operator got instead of a
// mail.
const LinkShown = "the link was shown to the operator"

// ParseInvited is [Parse] for the data of an account without a password.
func ParseInvited(email, fullName, role string) (NewAccount, error) {
	var wrong fault.Fields
	p := parse(&wrong, email, fullName, role)
	return p, wrong.Err()
}

// An Invitation is what an invited user gets.
type Invitation struct {
	Account account.Account
	Token   linktoken.ID // of the link
	Expires time.Time    // when the link stops working, if it was not mailed
}

// A Sender says who invites, and how the link reaches the user.
type Sender struct {
	By     signin.Proof // of the administrator; the zero proof stands for the operator
	Origin audit.Origin
	Show   bool // the caller gives the link to the user, and no mail is sent
}

// Invite creates an account without a password for p, and mails its user a link to choose
// one, which works once. Nobody can log in before, and Nextcloud has no account.
// It does all that in one transaction, as [Registrar.Create] does. It returns
// [account.ErrRegistrationClosed] if the rules say so, [account.ErrEmailTaken] for an
// address that has an account, and [mail.ErrTooMany] if the mailbox gets no more mails
// for now.
func (r *Registrar) Invite(ctx context.Context, p NewAccount, s Sender) (i Invitation, err error) {
	if err := r.Rules.CheckInvitation(); err != nil {
		return i, err
	}
	if _, err := r.DB.CanonicalizeEmails(ctx); err != nil {
		return i, err
	}
	a := r.newAccount(p)
	a.Pending = true
	event := audit.New(audit.Registered, a.ID, s.Origin, a.CreatedAt)
	event.Actor, event.Detail = s.By.User(), invitedDetail
	err = r.update(ctx, s.By, event.At, func(tx *store.Tx, by store.Actor) error {
		if err := tx.CreateAccount(ctx, a, ""); err != nil {
			return err
		}
		if err := tx.CreateNextcloudDesired(ctx, []desired.Account{r.Desired.Imported(a)}, event.At); err != nil {
			return err
		}
		if err := tx.HoldNextcloud(ctx, a.ID); err != nil {
			return err
		}
		i, err = r.send(ctx, tx, by, a, s, event)
		return err
	})
	if err == nil {
		r.Outbox.Wake()
	}
	return i, err
}

// InviteAgain invites the user of an account that nobody has used yet. The links of
// earlier invitations no longer work. It returns [account.ErrNotFound],
// [account.ErrDisabled], [account.ErrNotPending], [account.ErrRegistrationClosed] or
// [mail.ErrTooMany].
func (r *Registrar) InviteAgain(ctx context.Context, id account.ID, s Sender) (i Invitation, err error) {
	if err := r.Rules.CheckInvitation(); err != nil {
		return i, err
	}
	event := audit.New(audit.Invited, id, s.Origin, r.Now())
	event.Actor = s.By.User()
	err = r.update(ctx, s.By, event.At, func(tx *store.Tx, by store.Actor) error {
		a, err := tx.Account(ctx, id)
		switch {
		case err != nil:
			return err
		case a.Disabled():
			return account.ErrDisabled
		case !a.Unused():
			return account.ErrNotPending
		}
		i, err = r.send(ctx, tx, by, a, s, event)
		return err
	})
	if err == nil {
		r.Outbox.Wake()
	}
	return i, err
}

// send writes the mail and the event of an invitation.
func (r *Registrar) send(
	ctx context.Context, tx *store.Tx, by store.Actor, a account.Account, s Sender, event audit.Event,
) (i Invitation, err error) {
	i.Account, i.Expires = a, event.At.Add(linktoken.InviteLifetime).Truncate(time.Second)
	if s.Show {
		if event.Detail != "" {
			event.Detail += "; "
		}
		event.Detail += LinkShown
		i.Token, err = mail.PutInvitation(ctx, tx, a, event.At)
		if err != nil {
			return i, err
		}
		return i, tx.Audit(ctx, event)
	}
	added, err := r.Outbox.Invite(ctx, tx, a, mail.Language(by.Account.Preferences), event.At)
	if err != nil {
		return i, err
	}
	if !added {
		return i, mail.ErrTooMany
	}
	return i, tx.Audit(ctx, event)
}
