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

// write answers PUT: a file, or with a slash at the end of the address a folder.
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
		Body: &arriving{Reader: r.Body, flow: f.flow(w, storeTime)}, Size: r.ContentLength,
		IfMatch: r.Header.Get("If-Match"), IfNoneMatch: r.Header.Get("If-None-Match"),
		Confirm: func() error { return f.reconfirm(r, t) },
	})
	if err != nil {
		return err
	}
	if stored.ETag != "" {
		w.Header().Set("ETag", stored.ETag)
	}
	made(w, t.path, stored.Created, "")
	return nil
}

// made answers what left something at p, which was not there before or was.
func made(w http.ResponseWriter, p webdav.Path, created bool, slash string) {
	if !created {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Location", address(p)+slash)
	w.WriteHeader(http.StatusCreated)
}

func (f *Function) makeFolder(w http.ResponseWriter, r *http.Request, t target) error {
	if r.ContentLength > 0 || r.ContentLength < 0 && f.arrives(w, r) {
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
	made(w, t.path, created, "/")
	return nil
}

// arrives reports whether a body of unknown length has anything in it, or is
// broken.
func (f *Function) arrives(w http.ResponseWriter, r *http.Request) bool {
	body := &arriving{Reader: r.Body, flow: f.flow(w, storeTime)}
	_, err := io.ReadFull(body, make([]byte, 1))
	return !errors.Is(err, io.EOF)
}

// remove answers DELETE: a file, or a folder with all that is in it.
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

// A transplant moves or copies.
type transplant struct {
	MoveTo    endpoint.Optional[string] `json:"move_to" validate:"required_without=CopyTo,omitempty,path"`
	CopyTo    endpoint.Optional[string] `json:"copy_to" validate:"excluded_with=MoveTo,omitempty,path"`
	Overwrite bool                      `json:"overwrite"`

	from webdav.Path
}

// Bind reads the path of what is to move.
func (q *transplant) Bind(r *http.Request) (err error) {
	q.from, _, err = pathOf(r)
	return err
}

// destination returns where it goes to.
func (q *transplant) destination() (webdav.Path, error) {
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

// transplanted is the answer: where it is now.
type transplanted struct {
	endpoint.None

	to      webdav.Path
	created bool
}

// Status says whether something new is there, or something was replaced.
func (t transplanted) Status() int {
	if t.created {
		return http.StatusCreated
	}
	return http.StatusNoContent
}

// Header tells where.
func (t transplanted) Header(h http.Header) {
	if t.created {
		h.Set("Location", address(t.to))
	}
}

func (f *Function) transplant(ctx context.Context, caller endpoint.Caller, q transplant) (transplanted, error) {
	to, err := q.destination()
	if err != nil {
		return transplanted{}, err
	}
	o, err := f.Storage.Open(ctx, caller.Account.ID)
	if err != nil {
		return transplanted{}, err
	}
	if err := f.Auth.Recheck(ctx, caller.Proof()); err != nil {
		return transplanted{}, err
	}
	do := o.Move
	if q.CopyTo.Set {
		do = o.Copy
	}
	created, err := do(ctx, q.from, to, q.Overwrite)
	if err != nil {
		return transplanted{}, f.tell(ctx, o, err)
	}
	return transplanted{to: to, created: created}, nil
}
