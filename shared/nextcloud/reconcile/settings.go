package reconcile

import (
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/secret"
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
}

// ReadSettings reads the settings from the environment, including the
// administrator's credentials.
func ReadSettings(env *config.Env) Settings {
	return Settings{
		Server: nextcloud.ReadServer(env), Policy: desired.ReadPolicy(env),
		Admin: env.String("NEXTCLOUD_ADMIN_USER", ""), Password: env.Secret("NEXTCLOUD_ADMIN_PASSWORD"),
	}
}
