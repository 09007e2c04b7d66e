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

// read serves GET and HEAD: the listing of a folder, or the content of a file.
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

// send streams the content. Once the response has begun, a failure can only be
// reported by cutting the connection: a client must not mistake part of a file for
// all of it.
func (f *Function) send(w http.ResponseWriter, r *http.Request, d *webdav.Download) error {
	h := w.Header()
	maps.Copy(h, d.Header)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Cache-Control", "private, no-cache") // may be stored, but must be revalidated
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if d.Size >= 0 && d.Status != http.StatusNotModified {
		h.Set("Content-Length", strconv.FormatInt(d.Size, 10))
	}
	w.WriteHeader(d.Status)
	if r.Method == http.MethodHead || d.Status == http.StatusNotModified {
		return nil
	}
	from := sourceReader{Reader: d.Body}
	n, err := pour(&responseWriter{Writer: w, request: r, keepAlive: f.keepAlive(w, sendTime)}, &from)
	if from.err != nil || err == nil && d.Size >= 0 && n != d.Size {
		endpoint.RecordError(r, errors.Join(errUnavailable, from.err))
		panic(http.ErrAbortHandler)
	}
	return nil // any other failure is on the client's side
}

// A sourceReader records failures of the storage, as opposed to those of the client.
type sourceReader struct {
	io.Reader

	err error
}

// Read reads from the storage.
func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
