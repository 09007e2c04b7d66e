package webdav

import (
	"context"
	"errors"
	"net/http"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// MakeFolder makes a folder and reports whether it was not there before. Its
// parent must be there: [ErrNoParent]. A file at p is [ErrIsFile].
func (f *Folder) MakeFolder(ctx context.Context, p Path) (made bool, err error) {
	const op = "make folder"
	if p.IsRoot() {
		return false, nil
	}
	_, err = f.run(ctx, call{
		op: op, method: "MKCOL", url: f.of(p), ok: []int{http.StatusCreated},
		kinds: map[int]error{
			http.StatusMethodNotAllowed: ErrExists,
			http.StatusForbidden:        ErrQuota, // with a full storage: "Could not create directory"
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

// Delete removes a file, or a folder with all that is in it, to the server's
// trash. ifMatch, where not "", is the header If-Match (RFC 9110 section
// 13.1.1). What is not there is [ErrNotFound].
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

// Move gives what is at from the path to, and reports whether nothing was there
// before. What is there is replaced only with overwrite, and a folder never:
// [ErrExists], [ErrIsFolder].
func (f *Folder) Move(ctx context.Context, from, to Path, overwrite bool) (created bool, err error) {
	return f.transplant(ctx, "move", "MOVE", from, to, overwrite)
}

// Copy is [Folder.Move] that leaves what is at from where it is. A folder is
// copied with all that is in it.
func (f *Folder) Copy(ctx context.Context, from, to Path, overwrite bool) (created bool, err error) {
	return f.transplant(ctx, "copy", "COPY", from, to, overwrite)
}

func (f *Folder) transplant(ctx context.Context, op, method string, from, to Path, overwrite bool) (bool, error) {
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
		case e.Folder: // the server would throw away all that is in it
			return false, &Error{Op: op, Kind: ErrIsFolder}
		}
	}
	resp, err := f.run(ctx, call{
		op: op, method: method, url: f.of(from), patient: true, moves: true,
		ok:     []int{http.StatusCreated, http.StatusNoContent},
		header: http.Header{"Destination": {f.of(to).String()}, "Overwrite": {value}},
		kinds:  map[int]error{http.StatusPreconditionFailed: ErrExists},
	})
	if err != nil {
		return false, err
	}
	return resp.StatusCode == http.StatusCreated, nil
}
