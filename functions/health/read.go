package health

import (
	"time"

	"github.com/voiceassist/gateway/functions/health/internal/probe"
	"github.com/voiceassist/gateway/functions/health/internal/probe/redisprobe"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/store"
)

// Read returns the function for db and for what REDIS_URL, QDRANT_URL and
// NEXTCLOUD_URL name.
func Read(env *config.Env, db *store.DB) *Function {
	f := &Function{Database: probe.Cached(db.Ping, Fresh), Schema: schema(db), Now: time.Now}
	if u := env.URL("REDIS_URL", "redis", "rediss"); u != nil {
		r, err := redisprobe.Open(u)
		if err != nil {
			env.RefuseSecret("REDIS_URL", "is not usable ("+err.Error()+")", "redis://user:password@host:6379/0")
		} else {
			f.Redis = probe.Cached(r.Check, Fresh)
		}
	}
	if u := env.URL("QDRANT_URL", "http", "https"); u != nil {
		f.Qdrant = probe.Cached(probe.Qdrant(u), Fresh)
	}
	if u := env.URL(nextcloud.VariableURL, "http", "https"); u != nil {
		f.Nextcloud = probe.Cached(probe.Nextcloud(u, nextcloud.HTTPClient(nextcloud.ReadRoots(env), probe.Timeout)), FreshNextcloud)
	}
	return f
}
