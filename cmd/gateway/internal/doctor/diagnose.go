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

func passed(format string, args ...any) []Finding {
	return []Finding{{Level: OK, Text: fmt.Sprintf(format, args...)}}
}

func warning(cure, format string, args ...any) Finding {
	return Finding{Level: Warning, Text: fmt.Sprintf(format, args...), Fix: cure}
}

func failed(cure, format string, args ...any) []Finding {
	return []Finding{{Level: Failed, Text: fmt.Sprintf(format, args...), Fix: cure}}
}

// maxDisplay limits how much of an address or a name is shown, in bytes. It can
// come from the server.
const maxDisplay = 200

// baseURL returns u without credentials, query and fragment, which may be secret,
// and without a trailing slash.
func baseURL(u *url.URL) *url.URL {
	b := url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}
	return &b
}

// displayURL returns u in a form that is safe to show.
func displayURL(u *url.URL) string {
	s := baseURL(u).String()
	if len(s) > maxDisplay {
		return s[:maxDisplay] + "…"
	}
	return s
}

// seconds formats a duration for people.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

const proxyFix = "Configure the proxy in front of Nextcloud to pass on /status.php, /ocs/ and /remote.php/, " +
	"with every method and the Authorization header."

// A diagnosis describes a failed call, without quoting the server.
type diagnosis struct{ text, fix string }

// diagnose returns the diagnosis of a failed call to Nextcloud.
func diagnose(err error) diagnosis {
	for _, known := range knownErrors() {
		if errors.Is(err, known.kind) {
			return diagnosis{known.text + statusOf(err), known.fix}
		}
	}
	return diagnosis{"failed" + statusOf(err), "Check Nextcloud's log (data/nextcloud.log) at this time."}
}

type knownError struct {
	kind      error
	text, fix string
}

// knownErrors lists the errors of a call, the most specific first, because an error
// can match several of them.
func knownErrors() []knownError {
	const (
		log   = "Check Nextcloud's log (data/nextcloud.log) at this time."
		later = "Try again later. If the error persists, check the server's load and its log."
	)
	return []knownError{
		{context.Canceled, "was interrupted", ""},
		{ocs.ErrMaintenance, "failed: Nextcloud is in maintenance mode", "Switch it off: occ maintenance:mode --off"},
		{context.DeadlineExceeded, "timed out", later},
		{ocs.ErrUnauthorized, "was rejected: wrong credentials", "Correct them before you try again: each failed login counts."},
		{webdav.ErrDisabled, "was rejected: the account is disabled", log},
		{webdav.ErrQuota, "was rejected: the storage is full", "Free space on the server's disk."},
		{webdav.ErrTooLarge, "was rejected: too large", "Raise the body limit of the proxy in front of Nextcloud (nginx: client_max_body_size)."},
		{webdav.ErrLocked, "was rejected: the file is locked", "Check Nextcloud's file locking: occ config:system:get memcache.locking"},
		{webdav.ErrCorrupted, "failed: Nextcloud received other bytes than were sent", "Check what changes bodies on the way to Nextcloud."},
		{webdav.ErrNotFound, "failed: not found", proxyFix},
		{ocs.ErrForbidden, "was rejected: forbidden", log},
		{ocs.ErrRateLimited, "was rejected: too many requests", "Try again in ten minutes."},
		{ocs.ErrWeakPassword, "was rejected by the password policy", "Relax the rules of the app password_policy: the gateway creates accounts with random passwords of 32 characters."},
		{ocs.ErrBadAnswer, "got a response that is not from Nextcloud", proxyFix},
		{ocs.ErrUnavailable, "got no usable response", later},
		{ocs.ErrUncertain, "failed: the connection broke", later},
		{ocs.ErrRefused, "was rejected", log},
	}
}

// statusOf returns the status and the code of a response, which are safe to show.
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

// diagnoseConn returns the diagnosis of a failed connection.
func diagnoseConn(err error) diagnosis {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return diagnosis{"the doctor was interrupted", ""}
	case errors.Is(err, syscall.ECONNREFUSED):
		return diagnosis{"nothing listens there", "Start Nextcloud's web server, or correct the port in NEXTCLOUD_URL. " +
			"In a container, localhost is the container itself: use the name of the service or the host."}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return diagnosis{"the address is unreachable", "Check the network and its routes. A container must share a network with Nextcloud."}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return diagnosis{"timed out", "Check whether a firewall drops the packets, or the server is overloaded."}
	}
	return diagnosis{"the connection broke", "Check the log of the web server, or of the proxy in front of it, at this time."}
}
