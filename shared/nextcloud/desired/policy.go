package desired

import (
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// QuotaUnset is the quota of accounts if NEXTCLOUD_DEFAULT_QUOTA is not set.
const QuotaUnset = "5 GB"

// A Policy is what all accounts in Nextcloud have in common.
type Policy struct {
	Enabled      bool   // a Nextcloud is configured
	Quota        string // of accounts without an override, as [quota.Parse] reads it
	KeepQuotas   bool   // keep a quota that was changed in Nextcloud
	Group        string // that every account joins; "" for none
	ByEmail      bool   // Nextcloud ids are e-mail addresses where possible
	PasswordSync bool   // the gateway's password also opens Nextcloud
	OnDelete     State  // of the account of a deleted user; [Present] keeps it
}

// Load loads the policy.
func (p *Policy) Load(r setting.Reader) {
	*p = Policy{
		Enabled:      r.URL("NEXTCLOUD_URL", "https", "http") != nil,
		Quota:        r.String("NEXTCLOUD_DEFAULT_QUOTA", QuotaUnset),
		Group:        r.String("NEXTCLOUD_GROUP", ""),
		ByEmail:      r.OneOf("NEXTCLOUD_USER_ID", "email", "uuid") == "email",
		PasswordSync: r.Bool("NEXTCLOUD_PASSWORD_SYNC", true),
		KeepQuotas:   r.OneOf("NEXTCLOUD_QUOTA_DRIFT", "keep", "reset") == "keep",
	}
	switch r.OneOf("NEXTCLOUD_ON_DELETE", "disable", "delete", "keep") {
	case "disable":
		p.OnDelete = Disabled
	case "delete":
		p.OnDelete = Absent
	case "keep":
		p.OnDelete = Present
	}
	if _, err := quota.Parse(p.Quota); err != nil {
		r.Refuse("NEXTCLOUD_DEFAULT_QUOTA", p.Quota, "N MB, N GB or none")
	}
}

// SyncsPasswords reports whether passwords are passed on to Nextcloud.
func (p Policy) SyncsPasswords() bool { return p.Enabled && p.PasswordSync }
