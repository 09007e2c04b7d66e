package webdav

import (
	"context"
	"errors"
	"net/http"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// MakeFolder creates a folder and reports whether it did not exist before. It returns
// [ErrNoParent] if the parent does not exist, and [ErrIsFile] if there is a file at p.
func (f *Folder) MakeFolder(ctx context.Context, p Path) (made bool, err error) {
	const op = "make folder"
	if p.IsRoot() {
		return false, nil
	}
	_, err = f.run(ctx, call{
		op: op, method: "MKCOL", url: f.of(p), ok: []int{http.StatusCreated},
		kinds: map[int]error{
			http.StatusMethodNotAllowed: ErrExists,
			http.StatusForbidden:        ErrQuota, // if the storage is full: "Could not create directory"
		},
	})
	if !errors.Is(err, ErrExists) {
		return err == nil, err
	}
	e, err := f.Stat(ctx, p)
	switch {
	case err != nil:
		return false, err
	case !e.Folder:
		return false, &Error{Op: op, Kind: ErrIsFile, Status: http.StatusMethodNotAllowed}
	}
	return false, nil
}

// Delete moves a file, or a folder with its content, to the server's trash. ifMatch, if not
// "", is the value of If-Match (RFC 9110 section 13.1.1). A path without a file or folder
// is [ErrNotFound].
func (f *Folder) Delete(ctx context.Context, p Path, ifMatch string) error {
	if p.IsRoot() {
		return &Error{Op: "delete", Kind: ocs.ErrForbidden}
	}
	header := http.Header{}
	if ifMatch != "" {
		header.Set("If-Match", ifMatch)
	}
	_, err := f.run(ctx, call{
		op: "delete", method: http.MethodDelete, url: f.of(p), header: header, ok: []int{http.StatusNoContent},
	})
	return err
}

// Move moves a file or folder, and reports whether nothing existed at the path to. It
// replaces a file only with overwrite, and never a folder: [ErrExists], [ErrIsFolder].
func (f *Folder) Move(ctx context.Context, from, to Path, overwrite bool) (created bool, err error) {
	return f.moveOrCopy(ctx, "move", "MOVE", from, to, overwrite)
}

// Copy is [Folder.Move] that keeps the source. It copies a folder with its content.
func (f *Folder) Copy(ctx context.Context, from, to Path, overwrite bool) (created bool, err error) {
	return f.moveOrCopy(ctx, "copy", "COPY", from, to, overwrite)
}

// moveOrCopy sends MOVE or COPY.
func (f *Folder) moveOrCopy(ctx context.Context, op, method string, from, to Path, overwrite bool) (bool, error) {
	if from.IsRoot() || from.Holds(to) || to.Holds(from) {
		return false, &Error{Op: op, Kind: ocs.ErrForbidden}
	}
	value := "F"
	if overwrite {
		value = "T"
		switch e, err := f.Stat(ctx, to); {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return false, err
		case e.Folder: // the server would delete its content
			return false, &Error{Op: op, Kind: ErrIsFolder}
		}
	}
	resp, err := f.run(ctx, call{
		op: op, method: method, url: f.of(from), slow: true, moves: true,
		ok:     []int{http.StatusCreated, http.StatusNoContent},
		header: http.Header{"Destination": {f.of(to).String()}, "Overwrite": {value}},
		kinds:  map[int]error{http.StatusPreconditionFailed: ErrExists},
	})
	if err != nil {
		return false, err
	}
	return resp.StatusCode == http.StatusCreated, nil
}
