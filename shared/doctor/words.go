package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/webdav"
)

func fine(format string, args ...any) []Finding {
	return []Finding{{Level: OK, Text: fmt.Sprintf(format, args...)}}
}

func warning(cure, format string, args ...any) Finding {
	return Finding{Level: Warning, Text: fmt.Sprintf(format, args...), Cure: cure}
}

func failed(cure, format string, args ...any) []Finding {
	return []Finding{{Level: Failed, Text: fmt.Sprintf(format, args...), Cure: cure}}
}

// maxShown bounds what is shown of an address, in bytes; it can come from the
// server.
const maxShown = 200

// bare returns an address without what may be secret in it, and without a slash
// at its end.
func bare(u *url.URL) *url.URL {
	b := url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}
	return &b
}

// shown returns an address as it may be shown.
func shown(u *url.URL) string {
	s := bare(u).String()
	if len(s) > maxShown {
		return s[:maxShown] + "…"
	}
	return s
}

// seconds writes a duration for people.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

const proxyCure = "Let what stands before Nextcloud pass /status.php, /ocs/ and /remote.php/ on, " +
	"with every method and with the header Authorization."

// A trouble is what a failed call means, told without the server's words.
type trouble struct{ text, cure string }

// diagnose says what an error of a call on Nextcloud means.
func diagnose(err error) trouble {
	for _, known := range troubles() {
		if errors.Is(err, known.kind) {
			return trouble{known.text + statusOf(err), known.cure}
		}
	}
	return trouble{"did not work" + statusOf(err), "Look into Nextcloud's log (data/nextcloud.log) at this time."}
}

type knownTrouble struct {
	kind       error
	text, cure string
}

// troubles lists what can become of a call, the most particular first: an error
// can be several of them.
func troubles() []knownTrouble {
	const (
		log   = "Look into Nextcloud's log (data/nextcloud.log) at this time."
		later = "Try again later; where it lasts, look at the server's load and its log."
	)
	return []knownTrouble{
		{context.Canceled, "was interrupted", ""},
		{nextcloud.ErrMaintenance, "is refused in maintenance mode", "Switch it off: occ maintenance:mode --off"},
		{context.DeadlineExceeded, "got no answer in time", later},
		{nextcloud.ErrUnauthorized, "is refused: wrong credentials", "Do not try again before they are corrected: each refusal counts."},
		{webdav.ErrDisabled, "is refused: the account is disabled", log},
		{webdav.ErrQuota, "is refused: the storage is full", "Free space on the server's disk."},
		{webdav.ErrTooLarge, "is refused as too large", "Raise the limit of bodies in what stands before Nextcloud (nginx: client_max_body_size)."},
		{webdav.ErrLocked, "is refused as locked", "Look at Nextcloud's file locking: occ config:system:get memcache.locking"},
		{webdav.ErrCorrupted, "arrived with other bytes than were sent", "Look for what changes bodies between here and Nextcloud."},
		{webdav.ErrNotFound, "is not there", proxyCure},
		{nextcloud.ErrForbidden, "is forbidden", log},
		{nextcloud.ErrRateLimited, "is refused: too many calls", "Wait ten minutes, then try again."},
		{nextcloud.ErrWeakPassword, "is refused by the password policy", "Relax the app password_policy: accounts get random passwords of 32 characters."},
		{nextcloud.ErrBadAnswer, "got an answer that is not Nextcloud's", proxyCure},
		{nextcloud.ErrUnavailable, "got no usable answer", later},
		{nextcloud.ErrUncertain, "broke off", later},
		{nextcloud.ErrRefused, "is refused", log},
	}
}

// statusOf returns the numbers of an answer, which are safe to show.
func statusOf(err error) string {
	if e, ok := errors.AsType[*nextcloud.Error](err); ok && e.Status != 0 {
		if e.Code != 0 && e.Code != e.Status {
			return fmt.Sprintf(" (status %d, code %d)", e.Status, e.Code)
		}
		return fmt.Sprintf(" (status %d)", e.Status)
	}
	if e, ok := errors.AsType[*webdav.Error](err); ok && e.Status != 0 {
		return fmt.Sprintf(" (status %d)", e.Status)
	}
	return ""
}

// broken says what kept a connection from coming about.
func broken(err error) trouble {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return trouble{"the examination was interrupted", ""}
	case errors.Is(err, syscall.ECONNREFUSED):
		return trouble{"nothing listens there", "Start Nextcloud's web server, or correct the port in NEXTCLOUD_URL. " +
			"In a container, localhost is the container itself: name the service or the host instead."}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return trouble{"there is no way to that address", "Check the network and its routes; a container must share a network with Nextcloud."}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return trouble{"no answer in time", "Look for a firewall that drops the packets, or for a server that is overloaded."}
	}
	return trouble{"the connection broke", "Look into the log of the web server, or of the proxy before it, at this time."}
}
