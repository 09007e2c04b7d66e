package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

const (
	maxBody   = 64 << 10 // bytes; far more than status.php says
	userAgent = "VoiceAssist gateway (doctor)"
)

// A landing is what a GET without credentials brought.
type landing struct {
	status int
	header http.Header
	body   []byte
	asked  time.Time     // when
	took   time.Duration // until the header was there
}

// land asks for an address.
func (x *examination) land(ctx context.Context, u *url.URL) (landing, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return landing{}, err
	}
	req.Header.Set("User-Agent", userAgent)
	l := landing{asked: x.Now()}
	resp, err := x.http.Do(req)
	if err != nil {
		return landing{}, err
	}
	l.took = x.Now().Sub(l.asked)
	l.status, l.header = resp.StatusCode, resp.Header
	l.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return l, errors.Join(err, resp.Body.Close())
}

// answers asks whether a Nextcloud answers at the address.
func (x *examination) answers(ctx context.Context) []Finding {
	l, err := x.land(ctx, statusOfFolder(x.base))
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return x.refusedTLS(err) // of one of several servers, or behind a proxy
	}
	if err != nil {
		t := broken(err)
		return failed(t.cure, "no HTTP response: %s", t.text)
	}
	x.landing = l
	x.status, err = nextcloud.ParseStatus(l.body)
	switch {
	case err == nil:
		return fine("a Nextcloud responds")
	case l.status == http.StatusBadRequest && x.base.Scheme == "http" && wantsTLS(l.body):
		return failed("Use https in NEXTCLOUD_URL.", "port %s requires TLS, but NEXTCLOUD_URL is plain http", x.port())
	case l.status == http.StatusBadRequest:
		return fine("a server responds, but rejects the host name")
	case l.status >= 300 && l.status < 400 && l.header.Get("Location") != "":
		return x.redirected(ctx, l)
	}
	return x.noNextcloud(ctx, l)
}

// wantsTLS reports whether a server says, each in its own words, that it was
// spoken to in plain HTTP.
func wantsTLS(body []byte) bool {
	text := strings.ToLower(string(body))
	for _, words := range []string{"https port", "https server", "ssl-enabled server port"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// noNextcloud says what else answers, and whether a Nextcloud is near.
func (x *examination) noNextcloud(ctx context.Context, l landing) []Finding {
	const log = "Check the log of the web server, or of the proxy in front of it, at this time."
	switch {
	case l.status == http.StatusTooManyRequests:
		return failed("Wait, and raise the rate limit for this machine in the proxy in front of Nextcloud.", "too many requests (status 429)")
	case l.status >= http.StatusInternalServerError:
		return failed(log, "the server failed (status %d)", l.status)
	}
	if there := x.search(ctx); there != nil {
		return x.elsewhere(l, there)
	}
	switch l.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return failed(proxyCure, "something in front of Nextcloud rejected status.php (status %d)", l.status)
	}
	return failed("Set NEXTCLOUD_URL to the address of Nextcloud in the browser, without /login or /index.php. "+proxyCure,
		"the server at %s is not a Nextcloud (status %d)", shown(x.base), l.status)
}

// trusted reads the refusal of a host name that is not in trusted_domains: in
// JSON at status.php, in HTML elsewhere.
func (x *examination) trusted(context.Context) []Finding {
	if x.landing.status != http.StatusBadRequest {
		return fine("the host name is a trusted domain")
	}
	host := x.base.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // an IPv6 address
	}
	cure := "On the server: occ config:system:set trusted_domains N --value " + host +
		", where N is the next free number in occ config:system:get trusted_domains."
	if x.status.UntrustedHost {
		return failed(cure, "Nextcloud does not trust the host name %s", host)
	}
	return failed(cure+" If the list has it already, check the log of the proxy in front of Nextcloud.",
		"the request was rejected (status 400), probably because Nextcloud does not trust the host name %s", host)
}

// version judges the state of the server and its version.
func (x *examination) version(context.Context) []Finding {
	s := x.status
	switch {
	case !s.Installed:
		return failed("Finish the installation in the browser, or with occ maintenance:install.", "Nextcloud is not installed yet")
	case s.Maintenance:
		return failed("If no maintenance is in progress: occ maintenance:mode --off", "Nextcloud is in maintenance mode")
	case s.NeedsUpgrade:
		return failed("On the server: occ upgrade", "Nextcloud needs a database upgrade")
	}
	first, _, _ := strings.Cut(s.Version, ".")
	major, err := strconv.Atoi(first)
	text := shownVersion(s.Version)
	switch {
	case err != nil:
		return []Finding{warning(fmt.Sprintf("Check the version with occ status: it must be %d or newer.", ocs.OldestVersion), "Nextcloud does not report its version")}
	case major < ocs.OldestVersion:
		return []Finding{warning("Upgrade Nextcloud.", "Nextcloud %s is older than the supported versions (%d to %d)",
			text, ocs.OldestVersion, ocs.NewestVersion)}
	case major > ocs.NewestVersion:
		return []Finding{warning("Run the doctor without --read-only, and test the gateway before you rely on it.",
			"Nextcloud %s is newer than the supported versions (%d to %d)", text, ocs.OldestVersion, ocs.NewestVersion)}
	}
	return fine("Nextcloud %s", text)
}

// shownVersion keeps of a version what one can hold.
func shownVersion(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '.' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 20)]
}

// maxSkew is how far two clocks may be apart. Tokens and certificates bear more;
// what is further off is not kept by anything and will grow.
const maxSkew = 30 * time.Second

// clock compares the server's clock with ours: the header Date is in whole
// seconds, from somewhere between question and answer.
func (x *examination) clock(context.Context) []Finding {
	l := x.landing
	date, err := http.ParseTime(l.header.Get("Date"))
	if err != nil {
		return fine("the server does not report its time")
	}
	half := l.took / 2
	skew := date.Add(time.Second / 2).Sub(l.asked.Add(half))
	if skew.Abs() > maxSkew+half+time.Second/2 {
		which := "ahead of"
		if skew < 0 {
			which = "behind"
		}
		return []Finding{warning("Synchronize both clocks with NTP (timedatectl set-ntp true).",
			"the server's clock is %s %s this machine's", seconds(skew.Abs().Round(time.Second)), which)}
	}
	return fine("the clocks agree")
}
