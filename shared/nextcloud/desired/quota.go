package desired

import (
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

const (
	// DefaultQuota is how administrators write that an account has no quota of its
	// own.
	DefaultQuota = "default"
	// KeepQuota as [Spec.QuotaOverride] leaves the quota as Nextcloud has it.
	KeepQuota = "keep"
)

// ErrBadQuota is what [ParseQuota] returns.
var ErrBadQuota = fault.New(fault.Invalid, "invalid_quota",
	"Must be N MB, N GB (with a whole number N), none, default, or keep (whatever is set in Nextcloud).")

// ParseQuota reads the quota of one account, as administrators write it, and
// returns it as [Spec.QuotaOverride].
func ParseQuota(s string) (own string, err error) {
	switch s {
	case DefaultQuota:
		return "", nil
	case KeepQuota:
		return s, nil
	}
	q, err := quota.Parse(s)
	if err != nil {
		return "", ErrBadQuota.Because(err)
	}
	return q.String(), nil
}
