package health

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
	"github.com/voiceassist/gateway/functions/health/internal/probe/redisprobe"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/store"
)

// Settings name the dependencies other than the database. Each may be absent.
type Settings struct {
	Nextcloud nextcloud.Server

	qdrant   *url.URL
	redis    redisprobe.Settings
	requires []string // of Optional
}

// Load loads REDIS_URL, QDRANT_URL, the settings of the Nextcloud server, and which of
// them READY_REQUIRES names. It refuses a name of none of them, and of one that is not
// configured: such a requirement would have no effect.
func (s *Settings) Load(r setting.Reader) {
	setting.Load(r, &s.Nextcloud, &s.redis)
	s.qdrant = r.URL("QDRANT_URL", "http", "https")
	s.requires = nil
	for _, name := range r.List("READY_REQUIRES") {
		url := strings.ToUpper(name) + "_URL"
		switch {
		case !slices.Contains(Optional(), name):
			r.Refuse("READY_REQUIRES", name, "a list of "+strings.Join(Optional(), ", "))
		case r.SecretURL(url) == "":
			r.Refuse("READY_REQUIRES", name, "a configured dependency; set "+url)
		default:
			s.requires = append(s.requires, name)
		}
	}
}

// New returns the function for db and the dependencies that s names.
func New(s Settings, db *store.DB) *Function {
	f := &Function{Database: probe.Cached(db.Ping, Fresh), Schema: schema(db), Requires: s.requires, Now: time.Now}
	if redis := s.redis.Open(); redis != nil {
		f.Redis = probe.Cached(redis.Check, Fresh)
	}
	if s.qdrant != nil {
		f.Qdrant = probe.Cached(probe.Qdrant(s.qdrant), Fresh)
	}
	if s.Nextcloud.URL != nil {
		f.Nextcloud = probe.Cached(probe.Nextcloud(s.Nextcloud.URL, nextcloud.HTTPClient(s.Nextcloud.Roots, probe.Timeout)), freshNextcloud)
	}
	return f
}
