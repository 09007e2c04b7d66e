package doctor

import (
	"context"
	"net/url"
	"path"
	"strings"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

// statusPage is the path of status.php in the folder of a Nextcloud.
const statusPage = "/status.php"

// statusOfFolder returns the address of status.php of an installation.
func statusOfFolder(base *url.URL) *url.URL {
	u := *base
	u.Path += statusPage
	return &u
}

// redirected tells where a server sends us. The gateway does not follow: a
// redirect could carry the administrator's password to another host.
func (x *examination) redirected(ctx context.Context, l landing) []Finding {
	to, err := statusOfFolder(x.base).Parse(l.header.Get("Location"))
	if err != nil || to.Host == "" {
		return failed(proxyCure, "the server redirects to an invalid address (status %d)", l.status)
	}
	folder, isStatus := strings.CutSuffix(to.Path, statusPage)
	if !isStatus || to.Scheme != "https" && to.Scheme != "http" {
		if near := x.search(ctx); near != nil {
			return x.elsewhere(l, near)
		}
		return failed("Set NEXTCLOUD_URL to the address of Nextcloud itself. If it is a login page in front of Nextcloud: "+proxyCure,
			"the server redirects to %s (status %d)", shown(to), l.status)
	}
	there := &url.URL{Scheme: to.Scheme, Host: to.Host, Path: folder}
	if there.String() == x.base.String() {
		return failed(proxyCure+" If a proxy terminates TLS, set overwriteprotocol in Nextcloud's config.php.",
			"the server redirects to the same address (status %d)", l.status)
	}
	return failed("Set NEXTCLOUD_URL="+shown(there), "the server redirects to %s (status %d)", shown(there), l.status)
}

// elsewhere says where the Nextcloud is that was looked for.
func (x *examination) elsewhere(l landing, there *url.URL) []Finding {
	return failed("Set NEXTCLOUD_URL="+shown(there), "there is no Nextcloud at %s (status %d), but there is one at %s",
		shown(x.base), l.status, shown(there))
}

// maxPlaces bounds how many folders are asked for a Nextcloud.
const maxPlaces = 6

// search looks for a Nextcloud near the configured folder and returns its
// address, or nil: in /nextcloud below, in the folders above, and in /nextcloud
// below the root.
func (x *examination) search(ctx context.Context) *url.URL {
	for _, folder := range places(x.base.Path) {
		u := &url.URL{Scheme: x.base.Scheme, Host: x.base.Host, Path: folder}
		l, err := x.land(ctx, statusOfFolder(u))
		if err != nil {
			return nil
		}
		if _, err := nextcloud.ParseStatus(l.body); err == nil {
			return u
		}
	}
	return nil
}

func places(folder string) []string {
	const usual = "/nextcloud"
	all := []string{folder + usual}
	for at := folder; at != "" && len(all) < maxPlaces-1; {
		at = strings.TrimRight(path.Dir(at), "/")
		all = append(all, at)
	}
	if folder != "" && folder != usual {
		all = append(all, usual)
	}
	return all
}
