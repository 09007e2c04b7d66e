package account

import (
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// ErrUnverified is returned to a user who logs in with the right password before the
// e-mail address is verified, where [BeforeSigningIn] requires it.
var ErrUnverified = fault.New(fault.Forbidden, "email_unverified",
	"Confirm your e-mail address first. The link is in the mail that was sent to it.")

// A Verification is what a user may not do before the e-mail address is verified.
type Verification string

// The verifications.
const (
	NoVerification  Verification = ""        // addresses need not be verified
	BeforeStorage   Verification = "storage" // no account in Nextcloud before
	BeforeSigningIn Verification = "login"   // and no login before
)

// Rules are the rules for accounts that operators choose.
type Rules struct {
	Verification Verification
	Registration Registration
}

// Load loads EMAIL_VERIFICATION: off (the default), storage or login; and REGISTRATION:
// open (the default), invite or closed.
func (r *Rules) Load(s setting.Reader) {
	r.Registration = Registration(s.OneOf("REGISTRATION", string(OpenRegistration), string(InvitedRegistration), string(ClosedRegistration)))
	r.Verification = Verification(s.OneOf("EMAIL_VERIFICATION", "off", string(BeforeStorage), string(BeforeSigningIn)))
	if r.Verification == "off" {
		r.Verification = NoVerification
	}
}

// Verifies reports whether new addresses must be verified.
func (r Rules) Verifies() bool { return r.Verification != NoVerification }

// MayLogIn reports whether a may log in with the right password. Accounts that were
// created before the rule are exempt.
func (r Rules) MayLogIn(a Account) bool {
	return r.Verification != BeforeSigningIn || a.Verification != BeforeSigningIn || a.EmailVerifiedAt != nil
}

// AwaitsVerification reports whether a gets no account in Nextcloud before its address
// is verified.
func (a Account) AwaitsVerification() bool {
	return a.Verification != NoVerification && a.EmailVerifiedAt == nil
}
