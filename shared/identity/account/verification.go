package account

// A Verification is what a user may not do before the e-mail address is verified.
type Verification string

// The verifications.
const (
	NoVerification  Verification = ""        // addresses need not be verified
	BeforeStorage   Verification = "storage" // no account in Nextcloud before
	BeforeSigningIn Verification = "login"   // and no login before
)

// Rules are the rules for accounts that operators choose.
type Rules struct{ Verification Verification }

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
