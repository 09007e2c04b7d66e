package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// Errors that the API returns for errors of the storage.
var (
	errNotFound     = fault.New(fault.NotFound, "file_not_found", "The file or folder does not exist.")
	errNoParent     = fault.New(fault.Conflict, "parent_missing", "The parent folder does not exist.")
	errIsFolder     = fault.New(fault.Conflict, "is_folder", "This is a folder. To list it, add a slash to the path.")
	errIsFile       = fault.New(fault.Conflict, "is_file", "This is a file. Remove the slash from the path.")
	errExists       = fault.New(fault.PreconditionFailed, "file_exists", "The destination already exists. Send overwrite to replace a file.")
	errPrecondition = fault.New(fault.PreconditionFailed, "precondition_failed", "A condition of the request does not hold.")
	errRange        = fault.New(fault.RangeNotSatisfiable, "range_not_satisfiable", "The file has no bytes in this range.")
	errTooMuch      = fault.New(fault.Conflict, "folder_too_large", "The folder has too many entries to list here. Use WebDAV.")
	errLocked       = fault.New(fault.Conflict, "locked", "The file or folder is in use at the moment.")
	errQuota        = fault.New(fault.InsufficientStorage, "quota_exceeded", "Your storage is full. Nothing was stored.")
	errTooLarge     = fault.New(fault.TooLarge, "file_too_large", "The file is larger than the storage accepts.")
	errBrokenBody   = fault.New(fault.Malformed, "broken_body", "The body ended early. Nothing was stored.")
	errForbidden    = fault.New(fault.Forbidden, "storage_forbidden", "The storage does not permit this.")
	errUnavailable  = fault.New(fault.Unavailable, "storage_unavailable", "The storage is not available at the moment.")
	errCorrupted    = fault.New(fault.Unavailable, "upload_corrupted", "The content that arrived differs from what was sent, and was discarded. Send it again.")
)

// Errors for well-formed paths.
var (
	errRefused = fault.New(fault.Invalid, "storage_refused", "Nextcloud does not accept this name.")
	errWhole   = fault.New(fault.Invalid, "whole_folder", "The root folder can only be listed.")
	errInside  = fault.New(fault.Invalid, "invalid_destination",
		"A file or folder cannot be moved to itself, into itself, or over one of its parents.")
)

// wrongPath returns the error for an invalid path in that field.
func wrongPath(field string, why error) *fault.Error {
	var wrong fault.Fields
	wrong.Parse(field, why)
	return fault.Of(wrong.Err())
}

// kinds maps errors of the storage to those of the API; the first match counts.
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
		{ocs.ErrForbidden, errForbidden},
		{ocs.ErrRefused, wrongPath("path", errRefused)},
		{ocs.ErrMaintenance, errUnavailable.After(time.Minute)},
		{ocs.ErrRateLimited, errUnavailable.After(5 * time.Minute)}, // locked out by failed logins of others
		{ocs.ErrUnavailable, errUnavailable.After(5 * time.Second)},
		{ocs.ErrBadAnswer, errUnavailable.After(time.Minute)},
	}
}

// faultOf returns the error of the API for a failed call to the storage. An error of
// the API stays as it is.
func (f *Function) faultOf(ctx context.Context, o *access.Opened, err error) error {
	e, ok := errors.AsType[*webdav.Error](err)
	if !ok {
		return err
	}
	if err = f.Storage.Failed(ctx, o, err); fault.Of(err).Kind != fault.Internal {
		return err
	}
	for _, k := range kinds() {
		if errors.Is(err, k.of) {
			result := k.is.Because(err)
			result.RetryAfter = cmp.Or(e.RetryAfter, result.RetryAfter)
			return result
		}
	}
	return err
}

// tooLargeHere is the error for content that does not fit into a request or response
// here. It names the address of the file in Nextcloud.
func (f *Function) tooLargeHere(t target) *fault.Error {
	return fault.New(fault.TooLarge, "too_large_here", fmt.Sprintf(
		"A request or response can carry at most %d bytes here. Use WebDAV at %s with credentials from "+
			"POST /api/users/me/nextcloud/app-password, or read the file in ranges.",
		f.MaxBody, t.Public.URL(t.path)))
}
