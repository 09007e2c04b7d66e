package reconcile

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

// A DriftKind names one way in which an account differs from its desired state.
type DriftKind string

// The kinds. An account can have several.
const (
	DriftMissing  DriftKind = "missing"  // does not exist and should
	DriftDisabled DriftKind = "disabled" // disabled and should be enabled
	DriftEnabled  DriftKind = "enabled"  // enabled and should not be
	DriftQuota    DriftKind = "quota"
	DriftEmail    DriftKind = "email"
	DriftName     DriftKind = "display_name"
	DriftGroup    DriftKind = "group"
	DriftOrphan   DriftKind = "orphan" // looks like the gateway's and belongs to no user
)

// A Drift is one difference between Nextcloud and the desired state.
type Drift struct {
	Kind        DriftKind  `json:"kind"`
	NextcloudID string     `json:"nextcloud_user_id"`
	UserID      account.ID `json:"user_id,omitempty"` // "" for an orphan
	Wanted      string     `json:"wanted,omitempty"`
	Found       string     `json:"found,omitempty"`
	Kept        bool       `json:"kept,omitempty"` // tolerated, see [desired.Policy.KeepQuotas]
}

// Diff returns how the account in Nextcloud differs from its desired state; a nil
// actual is an account that does not exist. It is the only comparison of the two:
// an attempt corrects what it returns, and a sweep reports it. Properties that a
// linked account keeps do not differ. Passwords, app passwords and files are not
// part of it, as Nextcloud does not show them.
func Diff(want desired.Account, policy desired.Policy, actual *ocs.User) []Drift {
	var drifts []Drift
	add := func(kind DriftKind, wanted, found string, kept bool) {
		drifts = append(drifts, Drift{kind, want.NextcloudID, want.UserID, wanted, found, kept})
	}
	switch {
	case want.State != desired.Present:
		if actual != nil && actual.Enabled && want.Owned {
			add(DriftEnabled, "", "", false)
		}
		return drifts
	case actual == nil:
		add(DriftMissing, "", "", false)
		return drifts
	}
	if !actual.Enabled {
		add(DriftDisabled, "", "", false)
	}
	if !want.KeepsEmail && !sameEmail(string(want.Email), actual.Email) {
		add(DriftEmail, string(want.Email), actual.Email, false)
	}
	if name := displayName(want); !want.KeepsName && name != "" && name != actual.DisplayName {
		add(DriftName, name, actual.DisplayName, false)
	}
	if wanted, err := quota.Parse(want.EffectiveQuota()); err == nil && !wanted.Near(actual.Quota) {
		last, err := quota.Parse(want.LastSetQuota)
		changedThere := err == nil && !last.Near(actual.Quota)
		add(DriftQuota, want.EffectiveQuota(), actual.Quota.String(), policy.KeepQuotas && changedThere)
	}
	if policy.Group != "" && !slices.Contains(actual.Groups, policy.Group) {
		add(DriftGroup, policy.Group, strings.Join(actual.Groups, ", "), false)
	}
	return drifts
}

// sameEmail reports whether a and b are the same address, in any letter case and
// with the domain in Unicode or in A-labels.
func sameEmail(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	x, err := account.ParseEmail(a) // stored addresses can be older than the canonical form
	y, wrong := account.ParseEmail(b)
	return err == nil && wrong == nil && x == y
}

// maxDisplayName is the longest display name that Nextcloud accepts, in characters.
const maxDisplayName = 64

// displayName returns the display name for Nextcloud, or "" to leave it alone.
func displayName(n desired.Account) string {
	if utf8.RuneCountInString(n.FullName) <= maxDisplayName {
		return n.FullName
	}
	return strings.TrimSpace(string([]rune(n.FullName)[:maxDisplayName]))
}
