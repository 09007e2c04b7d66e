package doctor

import (
	"context"
	"net/url"
	"path"
	"strings"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

// statusPage is the path of the status page in the folder of a Nextcloud.
const statusPage = "/status.php"

// statusURL returns the address of status.php of the installation at base.
func statusURL(base *url.URL) *url.URL {
	u := *base
	u.Path += statusPage
	return &u
}

// diagnoseRedirect describes where a server redirects to. The gateway follows no
// redirect, because it could send the administrator's password to another host.
func (x *examination) diagnoseRedirect(ctx context.Context, l response) []Finding {
	to, err := statusURL(x.base).Parse(l.header.Get("Location"))
	if err != nil || to.Host == "" {
		return failed(proxyFix, "the server redirects to an invalid address (status %d)", l.status)
	}
	folder, isStatus := strings.CutSuffix(to.Path, statusPage)
	if !isStatus || to.Scheme != "https" && to.Scheme != "http" {
		if near := x.findNextcloud(ctx); near != nil {
			return x.foundElsewhere(l, near)
		}
		return failed("Set NEXTCLOUD_URL to the address of Nextcloud itself. If it is a login page in front of Nextcloud: "+proxyFix,
			"the server redirects to %s (status %d)", displayURL(to), l.status)
	}
	there := &url.URL{Scheme: to.Scheme, Host: to.Host, Path: folder}
	if there.String() == x.base.String() {
		return failed(proxyFix+" If a proxy terminates TLS, set overwriteprotocol in Nextcloud's config.php.",
			"the server redirects to the same address (status %d)", l.status)
	}
	return failed("Set NEXTCLOUD_URL="+displayURL(there), "the server redirects to %s (status %d)", displayURL(there), l.status)
}

// foundElsewhere returns a failure that names the address of the Nextcloud that
// was found.
func (x *examination) foundElsewhere(l response, there *url.URL) []Finding {
	return failed("Set NEXTCLOUD_URL="+displayURL(there), "there is no Nextcloud at %s (status %d), but there is one at %s",
		displayURL(x.base), l.status, displayURL(there))
}

// maxCandidates limits how many folders are searched for a Nextcloud.
const maxCandidates = 6

// findNextcloud looks for a Nextcloud near the configured folder and returns its
// address, or nil. It tries /nextcloud below the folder, the folders above it, and
// /nextcloud below the root.
func (x *examination) findNextcloud(ctx context.Context) *url.URL {
	for _, folder := range candidateFolders(x.base.Path) {
		u := &url.URL{Scheme: x.base.Scheme, Host: x.base.Host, Path: folder}
		l, err := x.fetch(ctx, statusURL(u))
		if err != nil {
			return nil
		}
		if _, err := nextcloud.ParseStatus(l.body); err == nil {
			return u
		}
	}
	return nil
}

func candidateFolders(folder string) []string {
	const usual = "/nextcloud"
	all := []string{folder + usual}
	for at := folder; at != "" && len(all) < maxCandidates-1; {
		at = strings.TrimRight(path.Dir(at), "/")
		all = append(all, at)
	}
	if folder != "" && folder != usual {
		all = append(all, usual)
	}
	return all
}
