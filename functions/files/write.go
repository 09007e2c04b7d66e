package files

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

var (
	errPartial = fault.New(fault.Malformed, "partial_put", "Partial uploads are not supported. Send the whole file without Content-Range (RFC 9110 section 14.5).")
	errBody    = fault.New(fault.Malformed, "unexpected_body", "A folder is created without a body. The path of a file does not end with a slash.")
)

// write serves PUT: a file or, if the path ends with a slash, a folder.
func (f *Function) write(w http.ResponseWriter, r *http.Request, t target) error {
	if err := endpoint.CheckEncoding(r); err != nil {
		return err
	}
	switch {
	case r.Header.Get("Content-Range") != "":
		return errPartial
	case t.folder:
		return f.makeFolder(w, r, t)
	case f.MaxBody > 0 && r.ContentLength > f.MaxBody:
		return f.tooLargeHere(t)
	}
	stored, err := t.Put(r.Context(), t.path, webdav.Upload{
		Body: &requestReader{Reader: r.Body, keepAlive: f.keepAlive(w, storeTime)}, Size: r.ContentLength,
		IfMatch: r.Header.Get("If-Match"), IfNoneMatch: r.Header.Get("If-None-Match"),
		Confirm: func() error { return f.reconfirm(r, t) },
	})
	if err != nil {
		return err
	}
	if stored.ETag != "" {
		w.Header().Set("ETag", stored.ETag)
	}
	respondCreated(w, t.path, stored.Created, "")
	return nil
}

// respondCreated responds to a request that created or replaced the file or folder
// at p.
func respondCreated(w http.ResponseWriter, p webdav.Path, created bool, slash string) {
	if !created {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Location", address(p)+slash)
	w.WriteHeader(http.StatusCreated)
}

func (f *Function) makeFolder(w http.ResponseWriter, r *http.Request, t target) error {
	if r.ContentLength > 0 || r.ContentLength < 0 && f.hasBody(w, r) {
		return errBody
	}
	if err := f.reconfirm(r, t); err != nil {
		return err
	}
	created, err := t.MakeFolder(r.Context(), t.path)
	if err != nil {
		return err
	}
	if !created && r.Header.Get("If-None-Match") == "*" {
		return errPrecondition
	}
	respondCreated(w, t.path, created, "/")
	return nil
}

// hasBody reports whether a body of unknown length has any content or is broken.
func (f *Function) hasBody(w http.ResponseWriter, r *http.Request) bool {
	body := &requestReader{Reader: r.Body, keepAlive: f.keepAlive(w, storeTime)}
	_, err := io.ReadFull(body, make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

// remove serves DELETE: a file, or a folder with its content.
func (f *Function) remove(w http.ResponseWriter, r *http.Request, t target) error {
	if t.path.IsRoot() {
		return wrongPath("path", errWhole)
	}
	if err := f.reconfirm(r, t); err != nil {
		return err
	}
	if err := t.Delete(r.Context(), t.path, r.Header.Get("If-Match")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// A transfer request moves or copies a file or folder.
type transfer struct {
	MoveTo    endpoint.Optional[string] `json:"move_to" validate:"required_without=CopyTo,omitempty,path"`
	CopyTo    endpoint.Optional[string] `json:"copy_to" validate:"excluded_with=MoveTo,omitempty,path"`
	Overwrite bool                      `json:"overwrite"`

	from webdav.Path
}

// Bind reads the path of the source.
func (q *transfer) Bind(r *http.Request) (err error) {
	q.from, _, err = pathOf(r)
	return err
}

// destination returns the path of the target.
func (q *transfer) destination() (webdav.Path, error) {
	field := "move_to"
	if q.CopyTo.Set {
		field = "copy_to"
	}
	to, err := webdav.ParsePath(cmp.Or(q.MoveTo.Value, q.CopyTo.Value))
	switch {
	case err != nil:
		return to, err
	case q.from.IsRoot():
		return to, wrongPath("path", errWhole)
	case q.from.Holds(to), to.Holds(q.from):
		return to, wrongPath(field, errInside)
	}
	return to, nil
}

// A transferred response contains the new path of the file or folder.
type transferred struct {
	endpoint.None

	to      webdav.Path
	created bool
}

// Status returns 201 for a new file or folder, and 204 for a replaced one.
func (t transferred) Status() int {
	if t.created {
		return http.StatusCreated
	}
	return http.StatusNoContent
}

// Header sets the Location header for a new file or folder.
func (t transferred) Header(h http.Header) {
	if t.created {
		h.Set("Location", address(t.to))
	}
}

func (f *Function) transfer(ctx context.Context, caller endpoint.Caller, q transfer) (transferred, error) {
	to, err := q.destination()
	if err != nil {
		return transferred{}, err
	}
	o, err := f.Storage.Open(ctx, caller.Account.ID)
	if err != nil {
		return transferred{}, err
	}
	if err := f.Auth.Recheck(ctx, caller.Proof()); err != nil {
		return transferred{}, err
	}
	do := o.Move
	if q.CopyTo.Set {
		do = o.Copy
	}
	created, err := do(ctx, q.from, to, q.Overwrite)
	if err != nil {
		return transferred{}, f.faultOf(ctx, o, err)
	}
	return transferred{to: to, created: created}, nil
}
