package webdav

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// What became of a call, beside what [nextcloud] tells: ErrUnauthorized,
// ErrForbidden, ErrRateLimited, ErrUnavailable, ErrMaintenance, ErrBadAnswer
// and ErrRefused. Compare with [errors.Is].
var (
	// ErrNotFound: nothing is there.
	ErrNotFound = errors.New("there is no such file or folder")
	// ErrNoParent: the folder that it would lie in is not there, or is a file.
	ErrNoParent = errors.New("there is no such parent folder")
	// ErrExists: something is there that was not to be replaced.
	ErrExists = errors.New("something is there already")
	// ErrIsFolder: a folder is there where a file was meant.
	ErrIsFolder = errors.New("a folder is there")
	// ErrIsFile: a file is there where a folder was meant.
	ErrIsFile = errors.New("a file is there")
	// ErrPrecondition: a condition of the caller does not hold.
	ErrPrecondition = errors.New("a condition does not hold")
	// ErrRange: the file has no such bytes.
	ErrRange = errors.New("there is no such range")
	// ErrLocked: somebody reads or writes it at this moment; try again shortly.
	ErrLocked = errors.New("it is in use")
	// ErrQuota: the user's storage is full. Nothing was stored.
	ErrQuota = errors.New("the storage is full")
	// ErrTooLarge: more than the server takes.
	ErrTooLarge = errors.New("too large")
	// ErrTooMuch: the folder holds more than a listing can tell.
	ErrTooMuch = errors.New("the folder is too large to be listed")
	// ErrSource: the body that was to be stored broke off. Nothing was stored.
	ErrSource = errors.New("the source broke off")
	// ErrDisabled: the account may not be used.
	ErrDisabled = errors.New("the account is disabled")
	// ErrCorrupted: what arrived is not what was sent. Nothing was stored.
	ErrCorrupted = fmt.Errorf("what arrived has another hash: %w", ocs.ErrUnavailable)
)

// errSlow is the cause of what the other side let wait too long.
var errSlow = errors.New("too slow")

// An Error is what every call of a [Folder] returns on failure.
type Error struct {
	Op         string        // the call: "put"
	Kind       error         // one of the Err… values
	Status     int           // HTTP status; 0 without an answer
	Class      string        // the server's class of exception, without its namespace; may be ""
	RetryAfter time.Duration // when trying again may help; 0 is unsaid
	Size       int64         // of the file in bytes; with [ErrRange] only

	cause error // never holds a URL, a header or a body
}

// Error returns one line for operators. It names no file, user or secret.
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

// kindOf maps an answer that is no success. What a status means for one call
// only, that call says.
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
