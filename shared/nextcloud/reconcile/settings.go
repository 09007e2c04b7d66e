package reconcile

import (
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
)

// Settings say which Nextcloud to manage, as which administrator, and the policy
// for its accounts.
type Settings struct {
	nextcloud.Server
	desired.Policy

	Admin    string        // the administrator's id
	Password secret.String // the administrator's
	Workers  int           // accounts that a process attempts at a time; 0 for one
}

// The bounds of [Settings.Workers]. Nextcloud spends most of each call on one password
// hash, so more workers than its processors only wait there.
const (
	defaultWorkers = 8
	maxWorkers     = 64
)

// Load loads the settings. The credentials of the administrator are required if
// there is a server.
func (s *Settings) Load(r setting.Reader) {
	s.LoadPartial(r)
	if s.URL == nil {
		return
	}
	if s.Admin == "" {
		r.Refuse("NEXTCLOUD_ADMIN_USER", "", "the id of a Nextcloud administrator, because NEXTCLOUD_URL is set")
	}
	if s.Password == "" {
		r.RefuseSecret("NEXTCLOUD_ADMIN_PASSWORD", "is not set", "the administrator's password, because NEXTCLOUD_URL is set")
	}
}

// LoadPartial is [Settings.Load] without required settings, for a diagnosis that
// reports those that are missing.
func (s *Settings) LoadPartial(r setting.Reader) {
	setting.Load(r, &s.Server, &s.Policy)
	s.Admin, s.Password = r.String("NEXTCLOUD_ADMIN_USER", ""), r.Secret("NEXTCLOUD_ADMIN_PASSWORD")
	s.Workers = r.Int("NEXTCLOUD_WORKERS", defaultWorkers, 1, maxWorkers)
}
