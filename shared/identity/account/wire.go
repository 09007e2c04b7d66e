package account

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/document"
)

// A Profile is an account as clients see it. It never contains the hash.
type Profile struct {
	ID              ID              `json:"id"`
	Email           Email           `json:"email"`
	PendingEmail    Email           `json:"pending_email,omitempty"` // replaces Email once it is confirmed
	FullName        string          `json:"full_name"`
	Role            Role            `json:"role"`
	IsActive        bool            `json:"is_active"` // neither disabled nor pending
	IsAdmin         bool            `json:"is_admin"`
	Disabled        bool            `json:"disabled,omitempty"` // only administrators ever see true
	EmailVerifiedAt *time.Time      `json:"email_verified_at"`  // null until verified
	LastLogin       *time.Time      `json:"last_login"`         // null before the first login
	Preferences     document.Object `json:"preferences"`
	NextcloudUserID *string         `json:"nextcloud_user_id"` // null until known
	CreatedAt       time.Time       `json:"created_at"`
	UpdatedAt       time.Time       `json:"updated_at"`
}

// Profile returns the account as its owner and administrators see it.
func (a Account) Profile() Profile {
	p := Profile{
		ID: a.ID, Email: a.Email, PendingEmail: a.PendingEmail, FullName: a.FullName, Role: a.Role,
		IsActive: !a.Disabled() && !a.Pending, IsAdmin: a.Admin(), Disabled: a.Disabled(),
		EmailVerifiedAt: a.EmailVerifiedAt, LastLogin: a.LastLogin, Preferences: a.Preferences, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
	}
	if a.NextcloudUserID != "" {
		p.NextcloudUserID = &a.NextcloudUserID
	}
	return p
}
