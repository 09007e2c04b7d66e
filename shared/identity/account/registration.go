package account

import "github.com/voiceassist/gateway/shared/foundation/fault"

// A Registration says who may get an account. Accounts that administrators create with a
// password are exempt.
type Registration string

// The registrations. The zero value is [OpenRegistration].
const (
	OpenRegistration    Registration = "open"   // everybody
	InvitedRegistration Registration = "invite" // whom an administrator invites
	ClosedRegistration  Registration = "closed" // nobody; invitations do not work either
)

// Errors of users who may not get an account.
var (
	ErrInvitationRequired = fault.New(fault.Forbidden, "invitation_required", "Accounts are by invitation only. Ask an administrator for one.")
	ErrRegistrationClosed = fault.New(fault.Forbidden, "registration_closed", "Registration is closed, and so are invitations.")
)

// CheckRegistration returns the error for users who register by themselves, or nil if
// they may.
func (r Rules) CheckRegistration() error {
	if r.Registration == InvitedRegistration {
		return ErrInvitationRequired
	}
	return r.CheckInvitation()
}

// CheckInvitation returns the error for those who invite users or accept an invitation,
// or nil if they may.
func (r Rules) CheckInvitation() error {
	if r.Registration == ClosedRegistration {
		return ErrRegistrationClosed
	}
	return nil
}
