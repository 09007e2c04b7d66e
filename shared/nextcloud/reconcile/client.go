package reconcile

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// A client calls Nextcloud: accounts over OCS, and files over WebDAV.
type client struct {
	*ocs.Client

	files *webdav.Client
}

// writeTime is the time limit of a call with an effect. It is longer than
// Nextcloud delays calls after failed logins (25 s), as repeating it costs more.
const writeTime = 35 * time.Second

func newClient(s Settings) *client {
	return &client{
		ocs.New(ocs.Config{
			URL: s.URL, AdminUser: s.Admin, AdminPassword: s.Password, Roots: s.Roots, WriteTimeout: writeTime, IdleConns: s.Workers, Wrap: s.Wrap,
		}),
		webdav.New(webdav.Config{URL: s.URL, Roots: s.Roots, IdleConns: s.Workers, Wrap: s.Wrap}),
	}
}

// Touch requests the user's folder itself. Nextcloud creates it the first time.
func (c *client) Touch(ctx context.Context, id string, app secret.String) error {
	_, err := c.files.Folder(id, app).Stat(ctx, webdav.Path{})
	return err
}
