package files

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// read answers GET and HEAD: of a folder with its listing, of a file with its
// content.
func (f *Function) read(w http.ResponseWriter, r *http.Request, t target) error {
	if t.folder {
		return f.list(w, r, t)
	}
	get := t.Get
	if r.Method == http.MethodHead {
		get = t.Head
	}
	d, err := get(r.Context(), t.path, r.Header)
	if err != nil {
		if e, ok := errors.AsType[*webdav.Error](err); ok && errors.Is(e, webdav.ErrRange) {
			w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(e.Size, 10)) // RFC 9110 section 15.5.17
		}
		return err
	}
	defer d.Body.Close()
	if f.MaxBody > 0 && r.Method != http.MethodHead && d.Status != http.StatusNotModified && (d.Size < 0 || d.Size > f.MaxBody) {
		return f.tooLargeHere(t)
	}
	return f.send(w, r, d)
}

// send passes the content on as it comes. Once it began, all that is left to
// say of a failure is to cut the connection: a client must not take half a file
// for a whole one.
func (f *Function) send(w http.ResponseWriter, r *http.Request, d *webdav.Download) error {
	h := w.Header()
	maps.Copy(h, d.Header)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Cache-Control", "private, no-cache") // kept, but asked about each time
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if d.Size >= 0 && d.Status != http.StatusNotModified {
		h.Set("Content-Length", strconv.FormatInt(d.Size, 10))
	}
	w.WriteHeader(d.Status)
	if r.Method == http.MethodHead || d.Status == http.StatusNotModified {
		return nil
	}
	from := failing{Reader: d.Body}
	n, err := pour(&flowing{Writer: w, request: r, flow: f.flow(w, sendTime)}, &from)
	if from.err != nil || err == nil && d.Size >= 0 && n != d.Size {
		endpoint.RecordError(r, errors.Join(errUnavailable, from.err))
		panic(http.ErrAbortHandler)
	}
	return nil // what failed then is the client's side
}

// failing remembers that the storage failed, rather than the client.
type failing struct {
	io.Reader

	err error
}

// Read reads on.
func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
