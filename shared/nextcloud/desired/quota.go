package desired

import (
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/nextcloud/quota"
)

const (
	// DefaultQuota is how administrators remove a quota override.
	DefaultQuota = "default"
	// KeepQuota, as an override, leaves the quota as it is in Nextcloud.
	KeepQuota = "keep"
)

// ErrBadQuota is what [ParseQuota] returns.
var ErrBadQuota = fault.New(fault.Invalid, "invalid_quota",
	"Must be N MB, N GB (with a whole number N), none, default, or keep (whatever is set in Nextcloud).")

// ParseQuota parses a quota override, as administrators write it, and returns it in
// the form of [Spec.QuotaOverride].
func ParseQuota(s string) (override string, err error) {
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
