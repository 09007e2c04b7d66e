package account

import "github.com/voiceassist/gateway/shared/foundation/setting"

// A Verification is what a user may not do before the e-mail address is verified.
type Verification string

// The values of EMAIL_VERIFICATION.
const (
	NoVerification  Verification = ""        // "off": addresses need not be verified
	BeforeStorage   Verification = "storage" // no account in Nextcloud before
	BeforeSigningIn Verification = "login"   // and no login before
)

// Rules are the rules for accounts that operators choose.
type Rules struct{ Verification Verification }

// Load loads EMAIL_VERIFICATION.
func (r *Rules) Load(from setting.Reader) {
	v := from.OneOf("EMAIL_VERIFICATION", "off", string(BeforeStorage), string(BeforeSigningIn))
	r.Verification = NoVerification
	if v != "off" {
		r.Verification = Verification(v)
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
