// Package provision gives everybody an account in Nextcloud and keeps it as
// wished.
//
// A [desired.Recorder] records what accounts shall be, in the transaction of what
// it follows from. A [Reconciler] leases what is due, compares it with Nextcloud,
// and acts until they agree. Each of its steps may be repeated, and it may stop
// after any of them; two of them share the work. Nextcloud being down delays it
// and fails nothing.
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
