package mail

import (
	"context"
	"net/netip"
	"strings"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
)

// The notices: mails that tell users of a change of their account which they may not
// have made. The link in them is for "it was not me".
const (
	PasswordChanged      Kind = "password-changed"
	AddressChanged       Kind = "address-changed" // to the previous address; its link restores that
	SecondFactorEnabled  Kind = "second-factor-enabled"
	SecondFactorDisabled Kind = "second-factor-disabled"
	BackupCodesReplaced  Kind = "backup-codes-replaced"
	TokenReused          Kind = "refresh-token-reused"
	AppPasswordCreated   Kind = "app-password-created"
	APIKeyCreated        Kind = "api-key-created"
	NewNetwork           Kind = "login-from-new-network"
)

// Notices returns the kinds of notices.
func Notices() []Kind {
	return []Kind{
		PasswordChanged, AddressChanged, SecondFactorEnabled, SecondFactorDisabled, BackupCodesReplaced,
		TokenReused, AppPasswordCreated, APIKeyCreated, NewNetwork,
	}
}

// Notice tells the user of a that cause happened to the account. It does nothing if no
// notices are wanted, and drops a notice over the limit, so it never fails a change.
//
// Kinds do not share their limits. A user with a verified address does not share them
// with the accounts of others at the same mailbox either, so nobody can suppress a
// notice by provoking others. Addresses that nobody has verified share the limits of
// their mailbox, so nobody can flood a mailbox by creating accounts.
//
// All notices of a kind to one address share a token, which bounds the number of tokens.
func (o *Outbox) Notice(ctx context.Context, tx Tx, k Kind, a account.Account, cause audit.Event) error {
	if o == nil || !o.Notices {
		return nil
	}
	return o.notify(ctx, tx, linktoken.New(a.ID, k.Purpose(), string(k), string(a.Email), cause.At), k, a, Data{}, cause)
}

// NewNetwork tells the user of a that somebody logged in from a network from which nobody
// did before, unless the preferences of the user turn that off. It is the only kind that
// users can turn off: who has taken over an account must not be able to silence what tells
// the owner of a change.
func (o *Outbox) NewNetwork(ctx context.Context, tx Tx, a account.Account, cause audit.Event) error {
	if !WantsLogins(a.Preferences) {
		return nil
	}
	return o.Notice(ctx, tx, NewNetwork, a, cause)
}

// AddressChanged tells the previous address that now is the address of the account, and
// how to undo that. before is the account before the change. It is not told if the user
// goes back to an address that could undo an earlier change: whoever reads mail at the
// present address took part in the change that the user undoes, and must not be able to
// undo it once more.
func (o *Outbox) AddressChanged(ctx context.Context, tx Tx, before account.Account, now account.Email, cause audit.Event) error {
	if o == nil || !o.Notices {
		return nil
	}
	back, err := tx.HasLinkToken(ctx, before.ID, linktoken.Undo, string(now), cause.At)
	if err != nil || back {
		return err
	}
	old := string(before.Email)
	return o.notify(ctx, tx, linktoken.New(before.ID, linktoken.Undo, old, old, cause.At), AddressChanged, before, Data{NewEmail: now}, cause)
}

func (o *Outbox) notify(
	ctx context.Context, tx Tx, t linktoken.Token, k Kind, a account.Account, d Data, cause audit.Event,
) error {
	id, err := tx.PutLinkToken(ctx, t)
	if err != nil {
		return err
	}
	m := newMessage(k, a, a.Email, id, cause.At)
	m.Own = a.EmailVerifiedAt != nil
	d.Device, d.Address = DeviceOf(cause.Origin.Device), addressOf(cause.Origin.Address)
	m.Data = d
	_, err = tx.AddMail(ctx, m)
	return err
}

// addressOf returns the network address in its canonical form, or "".
func addressOf(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return a.WithZone("").String()
}

// families are what [DeviceOf] knows. The first match counts: browsers also contain the
// names of others.
var families = [...]struct{ part, name string }{
	{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
}

var systems = [...]struct{ part, name string }{
	{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"},
	{"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
}

// DeviceOf returns the browser and the system that a User-Agent names, such as "Firefox,
// Linux", or "". The result consists of words of a fixed list: clients choose their
// User-Agent, and must not choose what a mail says.
func DeviceOf(userAgent string) string {
	var found []string
	for _, list := range [...][]struct{ part, name string }{families[:], systems[:]} {
		for _, f := range list {
			if strings.Contains(userAgent, f.part) {
				found = append(found, f.name)
				break
			}
		}
	}
	return strings.Join(found, ", ")
}
