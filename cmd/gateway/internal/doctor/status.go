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
	maxBody   = 64 << 10 // bytes; status.php returns far less
	userAgent = "VoiceAssist gateway (doctor)"
)

// A response is the result of a GET without credentials.
type response struct {
	status int
	header http.Header
	body   []byte
	sent   time.Time     // when the request was sent
	took   time.Duration // until the header arrived
}

// fetch sends a GET without credentials.
func (x *examination) fetch(ctx context.Context, u *url.URL) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return response{}, err
	}
	req.Header.Set("User-Agent", userAgent)
	l := response{sent: x.Now()}
	resp, err := x.http.Do(req)
	if err != nil {
		return response{}, err
	}
	l.took = x.Now().Sub(l.sent)
	l.status, l.header = resp.StatusCode, resp.Header
	l.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return l, errors.Join(err, resp.Body.Close())
}

// reachable checks that a Nextcloud responds at the address.
func (x *examination) reachable(ctx context.Context) []Finding {
	l, err := x.fetch(ctx, statusURL(x.base))
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return x.diagnoseTLS(err) // of one of several servers, or behind a proxy
	}
	if err != nil {
		t := diagnoseConn(err)
		return failed(t.fix, "no HTTP response: %s", t.text)
	}
	x.response = l
	x.status, err = nextcloud.ParseStatus(l.body)
	switch {
	case err == nil:
		return passed("a Nextcloud responds")
	case l.status == http.StatusBadRequest && x.base.Scheme == "http" && wantsTLS(l.body):
		return failed("Use https in NEXTCLOUD_URL.", "port %s requires TLS, but NEXTCLOUD_URL is plain http", x.port())
	case l.status == http.StatusBadRequest:
		return passed("a server responds, but rejects the host name")
	case l.status >= 300 && l.status < 400 && l.header.Get("Location") != "":
		return x.diagnoseRedirect(ctx, l)
	}
	return x.notNextcloud(ctx, l)
}

// wantsTLS reports whether the body of an error says that the port expects TLS.
// Each server has its own text.
func wantsTLS(body []byte) bool {
	text := strings.ToLower(string(body))
	for _, words := range []string{"https port", "https server", "ssl-enabled server port"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// notNextcloud describes what responds instead of Nextcloud, and where a
// Nextcloud was found.
func (x *examination) notNextcloud(ctx context.Context, l response) []Finding {
	const log = "Check the log of the web server, or of the proxy in front of it, at this time."
	switch {
	case l.status == http.StatusTooManyRequests:
		return failed("Wait, and raise the rate limit for this machine in the proxy in front of Nextcloud.", "too many requests (status 429)")
	case l.status >= http.StatusInternalServerError:
		return failed(log, "the server failed (status %d)", l.status)
	}
	if there := x.findNextcloud(ctx); there != nil {
		return x.foundElsewhere(l, there)
	}
	switch l.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return failed(proxyFix, "something in front of Nextcloud rejected status.php (status %d)", l.status)
	}
	return failed("Set NEXTCLOUD_URL to the address of Nextcloud in the browser, without /login or /index.php. "+proxyFix,
		"the server at %s is not a Nextcloud (status %d)", displayURL(x.base), l.status)
}

// trustedDomain checks that Nextcloud accepts the host name. It rejects a name
// that is not in trusted_domains with JSON at status.php, and with HTML elsewhere.
func (x *examination) trustedDomain(context.Context) []Finding {
	if x.response.status != http.StatusBadRequest {
		return passed("the host name is a trusted domain")
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

// version checks the state and the version of the server.
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
	text := displayVersion(s.Version)
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
	return passed("Nextcloud %s", text)
}

// displayVersion removes everything but digits and dots from a version.
func displayVersion(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '.' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	return s[:min(len(s), 20)]
}

// maxClockSkew is how far two clocks may be apart. Tokens and certificates tolerate
// more, but a larger difference means that a clock is not synchronized and will
// drift further.
const maxClockSkew = 30 * time.Second

// clock compares the server's clock with ours. The Date header has whole seconds,
// and was written at some time between the request and the response.
func (x *examination) clock(context.Context) []Finding {
	l := x.response
	date, err := http.ParseTime(l.header.Get("Date"))
	if err != nil {
		return passed("the server does not report its time")
	}
	half := l.took / 2
	skew := date.Add(time.Second / 2).Sub(l.sent.Add(half))
	if skew.Abs() > maxClockSkew+half+time.Second/2 {
		which := "ahead of"
		if skew < 0 {
			which = "behind"
		}
		return []Finding{warning("Synchronize both clocks with NTP (timedatectl set-ntp true).",
			"the server's clock is %s %s this machine's", seconds(skew.Abs().Round(time.Second)), which)}
	}
	return passed("the clocks agree")
}
