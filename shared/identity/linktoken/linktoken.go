package linktoken

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
)

// ErrBad is returned for every token that does not work. It does not reveal whether
// the token was used, has expired, or was forged.
var ErrBad = fault.New(fault.Malformed, "bad_token", "The link is not valid. It may have been used, or have expired. Request a new one.")

// An ID identifies a token. It is a UUIDv7 in canonical form.
type ID string

// A Purpose is what a token is for. A token of one purpose is not valid for another.
type Purpose string

// The purposes.
const (
	Verify Purpose = "verify" // proves that the user reads mail at an address
	Reset  Purpose = "reset"  // sets a new password
	Undo   Purpose = "undo"   // restores the previous address
	Disown Purpose = "disown" // ends all access: the user did not make a change
	Invite Purpose = "invite" // sets the first password of an account that was created for its user
)

// The lifetimes of tokens, from the time at which the mail is sent.
const (
	VerifyLifetime = 24 * time.Hour
	ResetLifetime  = time.Hour
	// UndoLifetime leaves at least 72 hours after the change took effect: the new
	// address may be confirmed until [VerifyLifetime] after the mail was sent.
	UndoLifetime   = 72*time.Hour + VerifyLifetime
	DisownLifetime = 72 * time.Hour
	InviteLifetime = 7 * 24 * time.Hour
)

// Lifetime returns how long a token of that purpose works after it was mailed.
func (p Purpose) Lifetime() time.Duration {
	switch p {
	case Reset:
		return ResetLifetime
	case Undo:
		return UndoLifetime
	case Disown:
		return DisownLifetime
	case Invite:
		return InviteLifetime
	case Verify:
	}
	return VerifyLifetime
}

// A Token is the row of a token. A user has at most one for each purpose and slot.
type Token struct {
	ID        ID
	User      account.ID
	Purpose   Purpose
	Slot      string    // the address that [Undo] restores, the kind of the notice of [Disown]; otherwise ""
	Bound     string    // the state in which the token works: an address, or [StateOf]
	CreatedAt time.Time // of the row
	ExpiresAt time.Time // of the latest token that was mailed, or could be
}

// New returns a new token.
func New(user account.ID, p Purpose, slot, bound string, now time.Time) Token {
	return Token{ID: ID(uid.New()), User: user, Purpose: p, Slot: slot, Bound: bound, CreatedAt: now, ExpiresAt: now.Add(p.Lifetime())}
}

// StateOf returns the state to which a [Reset] or [Invite] token is bound: the password
// that it replaces, "" for none, and the address to which it was sent. Neither can be
// derived from it.
func StateOf(hash secret.String, email account.Email) string {
	sum := sha256.Sum256([]byte("voiceassist reset state v1\x00" + hash.Reveal() + "\x00" + string(email)))
	return hex.EncodeToString(sum[:])
}
