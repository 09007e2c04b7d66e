package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/provision"
	"github.com/voiceassist/gateway/shared/webdav"
)

// What becomes of what the storage says.
var (
	errNotFound     = fault.New(fault.NotFound, "file_not_found", "There is no such file or folder.")
	errNoParent     = fault.New(fault.Conflict, "parent_missing", "The folder that it would lie in is not there.")
	errIsFolder     = fault.New(fault.Conflict, "is_folder", "This is a folder; its listing has a slash at the end of the address.")
	errIsFile       = fault.New(fault.Conflict, "is_file", "This is a file; its address has no slash at the end.")
	errExists       = fault.New(fault.PreconditionFailed, "file_exists", "Something is there already; send overwrite to replace a file.")
	errPrecondition = fault.New(fault.PreconditionFailed, "precondition_failed", "A condition that was sent does not hold.")
	errRange        = fault.New(fault.RangeNotSatisfiable, "range_not_satisfiable", "The file has no such bytes.")
	errTooMuch      = fault.New(fault.Conflict, "folder_too_large", "This folder has more entries than can be listed here; use WebDAV for it.")
	errLocked       = fault.New(fault.Conflict, "locked", "Somebody reads or writes this at the moment.")
	errQuota        = fault.New(fault.InsufficientStorage, "quota_exceeded", "Your storage is full; nothing was stored.")
	errTooLarge     = fault.New(fault.TooLarge, "file_too_large", "This is larger than the storage takes.")
	errBrokenBody   = fault.New(fault.Malformed, "broken_body", "The body ended before it was complete; nothing was stored.")
	errForbidden    = fault.New(fault.Forbidden, "storage_forbidden", "The storage does not allow this.")
	errUnavailable  = fault.New(fault.Unavailable, "storage_unavailable", "The storage does not answer at the moment.")
	errCorrupted    = fault.New(fault.Unavailable, "upload_corrupted", "What arrived is not what was sent, and was not kept; send it again.")
)

// What can be wrong with a path beyond its form.
var (
	errRefused = fault.New(fault.Invalid, "storage_refused", "Nextcloud does not take this name.")
	errWhole   = fault.New(fault.Invalid, "whole_folder", "Your folder as a whole can be listed, and nothing else.")
	errInside  = fault.New(fault.Invalid, "invalid_destination",
		"It cannot go to itself, into itself, or over a folder that it lies in.")
)

// wrongPath is the fault of a request whose path in field is wrong in that way.
func wrongPath(field string, why error) *fault.Error {
	var wrong fault.Fields
	wrong.Parse(field, why)
	return fault.Of(wrong.Err())
}

// kinds pairs the errors of the storage with ours; the first that matches
// counts.
func kinds() []struct {
	of error
	is *fault.Error
} {
	return []struct {
		of error
		is *fault.Error
	}{
		{webdav.ErrCorrupted, errCorrupted.After(time.Second)},
		{webdav.ErrSource, errBrokenBody},
		{webdav.ErrNotFound, errNotFound},
		{webdav.ErrNoParent, errNoParent},
		{webdav.ErrIsFolder, errIsFolder},
		{webdav.ErrIsFile, errIsFile},
		{webdav.ErrExists, errExists},
		{webdav.ErrPrecondition, errPrecondition},
		{webdav.ErrRange, errRange},
		{webdav.ErrTooMuch, errTooMuch},
		{webdav.ErrLocked, errLocked.After(time.Second)},
		{webdav.ErrQuota, errQuota},
		{webdav.ErrTooLarge, errTooLarge},
		{nextcloud.ErrForbidden, errForbidden},
		{nextcloud.ErrRefused, wrongPath("path", errRefused)},
		{nextcloud.ErrMaintenance, errUnavailable.After(time.Minute)},
		{nextcloud.ErrRateLimited, errUnavailable.After(5 * time.Minute)}, // locked out by others' strikes
		{nextcloud.ErrUnavailable, errUnavailable.After(5 * time.Second)},
		{nextcloud.ErrBadAnswer, errUnavailable.After(time.Minute)},
	}
}

// tell returns the fault of what a call to the storage ended with. A fault of
// ours stays as it is.
func (f *Function) tell(ctx context.Context, o *provision.Opened, err error) error {
	e, ok := errors.AsType[*webdav.Error](err)
	if !ok {
		return err
	}
	if err = f.Storage.Failed(ctx, o, err); fault.Of(err).Kind != fault.Internal {
		return err
	}
	for _, k := range kinds() {
		if errors.Is(err, k.of) {
			told := k.is.Because(err)
			told.RetryAfter = cmp.Or(e.RetryAfter, told.RetryAfter)
			return told
		}
	}
	return err
}

// tooLargeHere is for what this way of running the gateway cannot carry: it
// tells where the file itself is.
func (f *Function) tooLargeHere(t target) *fault.Error {
	return fault.New(fault.TooLarge, "too_large_here", fmt.Sprintf(
		"A request or answer carries %d bytes at most here. Use WebDAV at %s with credentials from "+
			"POST /api/users/me/nextcloud/app-password; ranges of a file can be read here, too.",
		f.MaxBody, t.Public.URL(t.path)))
}
