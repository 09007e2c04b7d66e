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

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
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

const proxyCure = "Configure the proxy in front of Nextcloud to pass on /status.php, /ocs/ and /remote.php/, " +
	"with every method and the Authorization header."

// A trouble is what a failed call means, told without the server's words.
type trouble struct{ text, cure string }

// diagnose says what an error of a call on Nextcloud means.
func diagnose(err error) trouble {
	for _, known := range troubles() {
		if errors.Is(err, known.kind) {
			return trouble{known.text + statusOf(err), known.cure}
		}
	}
	return trouble{"failed" + statusOf(err), "Check Nextcloud's log (data/nextcloud.log) at this time."}
}

type knownTrouble struct {
	kind       error
	text, cure string
}

// troubles lists what can become of a call, the most particular first: an error
// can be several of them.
func troubles() []knownTrouble {
	const (
		log   = "Check Nextcloud's log (data/nextcloud.log) at this time."
		later = "Try again later. If the error persists, check the server's load and its log."
	)
	return []knownTrouble{
		{context.Canceled, "was interrupted", ""},
		{ocs.ErrMaintenance, "failed: Nextcloud is in maintenance mode", "Switch it off: occ maintenance:mode --off"},
		{context.DeadlineExceeded, "timed out", later},
		{ocs.ErrUnauthorized, "was rejected: wrong credentials", "Correct them before you try again: each failed login counts."},
		{webdav.ErrDisabled, "was rejected: the account is disabled", log},
		{webdav.ErrQuota, "was rejected: the storage is full", "Free space on the server's disk."},
		{webdav.ErrTooLarge, "was rejected: too large", "Raise the body limit of the proxy in front of Nextcloud (nginx: client_max_body_size)."},
		{webdav.ErrLocked, "was rejected: the file is locked", "Check Nextcloud's file locking: occ config:system:get memcache.locking"},
		{webdav.ErrCorrupted, "failed: Nextcloud received other bytes than were sent", "Check what changes bodies on the way to Nextcloud."},
		{webdav.ErrNotFound, "failed: not found", proxyCure},
		{ocs.ErrForbidden, "was rejected: forbidden", log},
		{ocs.ErrRateLimited, "was rejected: too many requests", "Try again in ten minutes."},
		{ocs.ErrWeakPassword, "was rejected by the password policy", "Relax the rules of the app password_policy: the gateway creates accounts with random passwords of 32 characters."},
		{ocs.ErrBadAnswer, "got a response that is not from Nextcloud", proxyCure},
		{ocs.ErrUnavailable, "got no usable response", later},
		{ocs.ErrUncertain, "failed: the connection broke", later},
		{ocs.ErrRefused, "was rejected", log},
	}
}

// statusOf returns the numbers of an answer, which are safe to show.
func statusOf(err error) string {
	if e, ok := errors.AsType[*ocs.Error](err); ok && e.Status != 0 {
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
		return trouble{"the doctor was interrupted", ""}
	case errors.Is(err, syscall.ECONNREFUSED):
		return trouble{"nothing listens there", "Start Nextcloud's web server, or correct the port in NEXTCLOUD_URL. " +
			"In a container, localhost is the container itself: use the name of the service or the host."}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return trouble{"the address is unreachable", "Check the network and its routes. A container must share a network with Nextcloud."}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return trouble{"timed out", "Check whether a firewall drops the packets, or the server is overloaded."}
	}
	return trouble{"the connection broke", "Check the log of the web server, or of the proxy in front of it, at this time."}
}
