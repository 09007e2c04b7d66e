package webdav

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// The kinds of errors, in addition to these of [ocs]: ErrUnauthorized, ErrForbidden,
// ErrRateLimited, ErrUnavailable, ErrMaintenance, ErrBadAnswer and ErrRefused. Check with
// [errors.Is].
var (
	// ErrNotFound: there is no file or folder at the path.
	ErrNotFound = errors.New("there is no such file or folder")
	// ErrNoParent: the parent folder does not exist, or is a file.
	ErrNoParent = errors.New("there is no such parent folder")
	// ErrExists: there is a file or folder that must not be replaced.
	ErrExists = errors.New("something is there already")
	// ErrIsFolder: there is a folder instead of a file.
	ErrIsFolder = errors.New("a folder is there")
	// ErrIsFile: there is a file instead of a folder.
	ErrIsFile = errors.New("a file is there")
	// ErrPrecondition: a condition of the caller does not hold.
	ErrPrecondition = errors.New("a condition does not hold")
	// ErrRange: the file has no such bytes.
	ErrRange = errors.New("there is no such range")
	// ErrLocked: another client is reading or writing it; try again shortly.
	ErrLocked = errors.New("it is in use")
	// ErrQuota: the user's storage is full. Nothing was stored.
	ErrQuota = errors.New("the storage is full")
	// ErrTooLarge: larger than the server accepts.
	ErrTooLarge = errors.New("too large")
	// ErrTooMuch: the folder has more entries than can be listed.
	ErrTooMuch = errors.New("the folder is too large to be listed")
	// ErrSource: reading the body of the upload failed. Nothing was stored.
	ErrSource = errors.New("the source broke off")
	// ErrDisabled: the account is disabled.
	ErrDisabled = errors.New("the account is disabled")
	// ErrCorrupted: the server received other data than was sent. Nothing was stored.
	ErrCorrupted = fmt.Errorf("what arrived has another hash: %w", ocs.ErrUnavailable)
)

// errSlow is the cause of a timeout of the watchdog.
var errSlow = errors.New("too slow")

// An Error is the failure of a call of a [Folder].
type Error struct {
	Op         string        // the call: "put"
	Kind       error         // one of the Err… values
	Status     int           // HTTP status; 0 without a response
	Class      string        // class of the server's exception, without its namespace; may be ""
	RetryAfter time.Duration // when to retry; 0 if unknown
	Size       int64         // of the file in bytes; with [ErrRange] only

	cause error // never contains a URL, a header or a body
}

// Error returns one line for operators. It contains no file, user or secret.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("webdav: " + e.Op + ": " + e.Kind.Error())
	if e.Status != 0 {
		b.WriteString(" (status " + strconv.Itoa(e.Status))
		if e.Class != "" {
			b.WriteString(", " + e.Class)
		}
		b.WriteByte(')')
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// kindOf maps a response that is not a success to an error. [call] has the exceptions.
func kindOf(status int, class string) error {
	switch {
	case class == "ServerMaintenanceMode":
		return ocs.ErrMaintenance
	case class == "LockedException": // a 500, on MOVE
		return ErrLocked
	}
	switch status {
	case 400, 405, 415, 422:
		return ocs.ErrRefused
	case 401:
		return ocs.ErrUnauthorized
	case 403:
		return ocs.ErrForbidden
	case 404:
		return ErrNotFound
	case 409:
		return ErrNoParent
	case 412:
		return ErrPrecondition
	case 413:
		return ErrTooLarge
	case 416:
		return ErrRange
	case 423:
		return ErrLocked
	case 429:
		return ocs.ErrRateLimited
	case 507:
		return ErrQuota
	case 500, 502, 503, 504:
		return ocs.ErrUnavailable
	}
	return ocs.ErrBadAnswer
}
