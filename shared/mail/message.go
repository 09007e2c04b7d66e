package mail

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
)

// A Kind is what a mail is about. It is the name of its templates.
type Kind string

// The kinds.
const (
	VerifyAddress  Kind = "verify-address"  // to a new user: confirm the address
	ConfirmAddress Kind = "confirm-address" // to the new address of a user: confirm it
	AddressChange  Kind = "address-change"  // to the previous address: it changes, and how to undo that
	ResetPassword  Kind = "reset-password"  // choose a new password
	Invitation     Kind = "invitation"      // somebody created an account for you: choose its password
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return append([]Kind{VerifyAddress, ConfirmAddress, AddressChange, ResetPassword, Invitation}, Notices()...)
}

// Purpose returns the purpose of the token in the link of the mail.
func (k Kind) Purpose() linktoken.Purpose {
	switch k {
	case ResetPassword:
		return linktoken.Reset
	case Invitation:
		return linktoken.Invite
	case AddressChange, AddressChanged:
		return linktoken.Undo
	case PasswordChanged, SecondFactorEnabled, SecondFactorDisabled, BackupCodesReplaced, TokenReused, AppPasswordCreated, APIKeyCreated, NewNetwork:
		return linktoken.Disown
	case VerifyAddress, ConfirmAddress:
	}
	return linktoken.Verify
}

// Page returns the path of the page to which the link leads.
func (k Kind) Page() string {
	switch k.Purpose() {
	case linktoken.Reset:
		return "/reset-password"
	case linktoken.Invite:
		return "/accept-invitation"
	case linktoken.Undo:
		return "/undo"
	case linktoken.Disown:
		return "/not-me"
	case linktoken.Verify:
	}
	return "/verify"
}

// Link returns where the link of the mail leads: to a page on the public address of the
// gateway. The token is in the fragment, which browsers send to no server.
func (k Kind) Link(public *url.URL, token secret.String) string {
	link := *public.JoinPath(k.Page())
	link.Fragment = token.Reveal()
	return link.String()
}

// The limits of the outbox.
const (
	// PerHour is how many mails of one kind a mailbox gets in an hour. It bounds what
	// anybody can make the gateway send to somebody else. Kinds do not share it, so
	// nobody can suppress a warning by requesting other mails.
	PerHour = 4
	// MaxAge is how long the gateway tries to send a mail.
	MaxAge = 72 * time.Hour
	// KeepSent is how long a mail that was sent remains in the outbox.
	KeepSent = 24 * time.Hour
	// KeepDead is how long a mail that could not be sent remains in the outbox.
	KeepDead = 30 * 24 * time.Hour
)

// ErrTooMany is returned to a user whose request would send more than [PerHour] mails.
var ErrTooMany = fault.New(fault.RateLimited, "too_many_mails",
	"This address got too many mails in the last hour. Try again later.").After(15 * time.Minute)

// A Message is one mail in the outbox. It contains no secret.
type Message struct {
	ID        string
	User      account.ID
	Kind      Kind
	Recipient account.Email
	Language  string       // a tag such as "de"; templates fall back to English
	Token     linktoken.ID // of the link
	Data      Data
	CreatedAt time.Time
	DueAt     *time.Time // of the next attempt; nil if the mail is finished
	Own       bool       // the limit ignores the mails of other users, see [Outbox.Notice]; not stored

	Attempts    int    // that failed
	Interrupted bool   // the last attempt did not end: the mail may have been sent
	Repeated    bool   // it was sent again after such an attempt
	LastError   string // of the last attempt that failed; "" for none
}

// A Result is what an attempt to send a mail led to.
type Result string

// The results.
const (
	Waiting Result = ""        // the mail waits for the next attempt
	Sent    Result = "sent"    // a mail server accepted it
	Dropped Result = "dropped" // its link no longer works, so nobody needs it
	Dead    Result = "dead"    // it cannot be sent
)

// An Outcome is the outcome of an attempt.
type Outcome struct {
	Result    Result
	DueAt     time.Time // of the next attempt; only with [Waiting]
	Attempts  int
	Error     string // "" for none
	Uncertain bool   // the mail may have been sent; only with [Waiting]
}

// Data is what a mail says beyond its kind.
type Data struct {
	NewEmail account.Email `json:"new_email,omitempty"` // of [AddressChange] and [AddressChanged]
	Device   string        `json:"device,omitempty"`    // of a notice, see [DeviceOf]
	Address  string        `json:"address,omitempty"`   // of a notice: the network address of the client
}

// Encode returns d as the outbox stores it.
func (d Data) Encode() string {
	b, _ := json.Marshal(d) // a struct of strings
	return string(b)
}

// ParseData parses what [Data.Encode] returned.
func ParseData(text string) (d Data, err error) {
	err = json.Unmarshal([]byte(text), &d)
	return d, err
}

// newMessage returns a mail to the address.
func newMessage(k Kind, a account.Account, to account.Email, token linktoken.ID, now time.Time) Message {
	return Message{ID: uid.New(), User: a.ID, Kind: k, Recipient: to, Language: Language(a.Preferences), Token: token, CreatedAt: now}
}

// Language returns the language that a user prefers: the member "language" of the
// preferences, without region, or "".
func Language(preferences document.Object) string {
	var p struct {
		Language any `json:"language"` // clients store what they like
	}
	if err := json.Unmarshal([]byte(preferences.String()), &p); err != nil {
		return ""
	}
	tag, _ := p.Language.(string)
	tag, _, _ = strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	if len(tag) < 2 || len(tag) > 3 {
		return ""
	}
	for _, c := range []byte(tag) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return ""
		}
	}
	return strings.ToLower(tag)
}

// WantsLogins reports whether a user wants to be told of logins from new networks: unless
// the member "notices" of the preferences is false.
func WantsLogins(preferences document.Object) bool {
	var p struct {
		Notices any `json:"notices"` // clients store what they like
	}
	if err := json.Unmarshal([]byte(preferences.String()), &p); err != nil {
		return true
	}
	return p.Notices != false
}

// Mailbox returns what addresses of the same mailbox have in common, for the limit of
// mails: the address in lower case, without the tag after "+" (RFC 5233).
func Mailbox(e account.Email) string {
	local, domain, _ := strings.Cut(strings.ToLower(e.ASCII()), "@")
	if base, _, tagged := strings.Cut(local, "+"); tagged && base != "" {
		local = base
	}
	return local + "@" + domain
}
