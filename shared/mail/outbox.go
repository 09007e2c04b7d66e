package mail

import (
	"cmp"
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
)

// A Tx is the transaction that causes a mail. *store.Tx implements it.
type Tx interface {
	// PutLinkToken stores a token for an enabled account, and returns the id of the token
	// that is valid now: an earlier one with the same state stays. It returns "" if there is
	// no such account.
	PutLinkToken(ctx context.Context, t linktoken.Token) (linktoken.ID, error)
	// AddMail adds m to the outbox and reports whether it did. It does not if the token does
	// not exist, or if the mailbox has had [PerHour] mails of that kind.
	AddMail(ctx context.Context, m Message) (bool, error)
	// DeleteLinkToken deletes the token with that purpose and slot, if there is one.
	DeleteLinkToken(ctx context.Context, user account.ID, p linktoken.Purpose, slot string) error
	// HasLinkToken reports whether the user has a token with that purpose and slot.
	HasLinkToken(ctx context.Context, user account.ID, p linktoken.Purpose, slot string, now time.Time) (bool, error)
}

// An Outbox writes mails, in the transaction that causes them. The zero Outbox is ready
// for use. It is safe for concurrent use.
type Outbox struct {
	Notify  func() // called by [Outbox.Wake]; may be nil
	Notices bool   // whether to write notices: without a way to send mail, they would pile up
}

// Wake notifies the dispatcher of this process that there are mails. Call it after the
// commit; it does not block.
func (o *Outbox) Wake() {
	if o != nil && o.Notify != nil {
		o.Notify()
	}
}

// Verify asks the user to confirm the address of the account, or the address that will
// replace it. It reports whether a mail was added.
func (o *Outbox) Verify(ctx context.Context, tx Tx, a account.Account, now time.Time) (bool, error) {
	kind, to := VerifyAddress, a.Email
	if a.PendingEmail != "" {
		kind, to = ConfirmAddress, a.PendingEmail
	}
	return o.add(ctx, tx, kind, a, to, "", string(to), Data{}, now)
}

// Reset sends a link with which the user can replace the password that has that hash.
// It reports whether a mail was added. For an account that does not exist or is
// disabled, it executes the same statements, which change nothing.
func (o *Outbox) Reset(ctx context.Context, tx Tx, a account.Account, hash secret.String, now time.Time) (bool, error) {
	return o.add(ctx, tx, ResetPassword, a, a.Email, "", linktoken.StateOf(hash, a.Email), Data{}, now)
}

// Invite sends the user of a, who has no password, a link to choose one. The links of
// earlier invitations no longer work. The mail is in the language of a user who has
// chosen one, and otherwise in the language of the user who invites. Invite reports
// whether a mail was added; if not, the caller must roll back.
func (o *Outbox) Invite(ctx context.Context, tx Tx, a account.Account, language string, now time.Time) (bool, error) {
	id, err := PutInvitation(ctx, tx, a, now)
	if err != nil {
		return false, err
	}
	m := newMessage(Invitation, a, a.Email, id, now)
	m.Language = cmp.Or(m.Language, language)
	return tx.AddMail(ctx, m)
}

// PutInvitation stores the token of an invitation in place of an earlier one, as
// [Outbox.Invite] does, without a mail.
func PutInvitation(ctx context.Context, tx Tx, a account.Account, now time.Time) (linktoken.ID, error) {
	if err := tx.DeleteLinkToken(ctx, a.ID, linktoken.Invite, ""); err != nil {
		return "", err
	}
	return tx.PutLinkToken(ctx, linktoken.New(a.ID, linktoken.Invite, "", linktoken.StateOf("", a.Email), now))
}

// ChangeAddress asks the user to confirm the pending address of a, and tells the
// present address how to undo the change. The present address is not told if the user
// registered with it and never verified it: it may be a stranger's. It is not told either
// if the user goes back to an address that can undo an earlier change, as with
// [Outbox.AddressChanged]. ChangeAddress returns [ErrTooMany] if either would get too many
// mails; the caller must then roll back.
func (o *Outbox) ChangeAddress(ctx context.Context, tx Tx, a account.Account, now time.Time) error {
	asked, err := o.Verify(ctx, tx, a, now)
	if err != nil {
		return err
	}
	if !asked {
		return ErrTooMany
	}
	if a.AwaitsVerification() {
		return nil
	}
	back, err := tx.HasLinkToken(ctx, a.ID, linktoken.Undo, string(a.PendingEmail), now)
	if err != nil || back {
		return err
	}
	old := string(a.Email)
	told, err := o.add(ctx, tx, AddressChange, a, a.Email, old, old, Data{NewEmail: a.PendingEmail}, now)
	if err != nil {
		return err
	}
	if !told {
		return ErrTooMany
	}
	return nil
}

func (o *Outbox) add(
	ctx context.Context, tx Tx, k Kind, a account.Account, to account.Email, slot, bound string, d Data, now time.Time,
) (bool, error) {
	id, err := tx.PutLinkToken(ctx, linktoken.New(a.ID, k.Purpose(), slot, bound, now))
	if err != nil {
		return false, err
	}
	m := newMessage(k, a, to, id, now)
	m.Data = d
	return tx.AddMail(ctx, m)
}
