package reconcile

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// A Nextcloud is a [Directory]: accounts over OCS, their files over WebDAV.
type directory struct {
	*ocs.Client

	files *webdav.Client
}

var _ Nextcloud = directory{}

// writeTime is how long a call with an effect may take: longer than Nextcloud
// delays calls after failed logins (25 s), as making it again costs more.
const writeTime = 35 * time.Second

func connect(s Settings) Nextcloud {
	return directory{
		ocs.New(ocs.Config{
			URL: s.URL, AdminUser: s.Admin, AdminPassword: s.Password, Roots: s.Roots, WriteTimeout: writeTime,
		}),
		webdav.New(webdav.Config{URL: s.URL, Roots: s.Roots}),
	}
}

// Touch asks for the folder itself: the first time, Nextcloud makes it.
func (d directory) Touch(ctx context.Context, id string, app secret.String) error {
	_, err := d.files.Folder(id, app).Stat(ctx, webdav.Path{})
	return err
}
