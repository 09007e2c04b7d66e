package webdav

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// A Download is the content of a file, or the information that it did not change.
type Download struct {
	Status int           // 200, 206 for a range, or 304 without a body
	Size   int64         // of the body in bytes; -1 if unknown
	Header http.Header   // fields that describe the content: type, ETag, time, range
	Body   io.ReadCloser // the caller closes it; reading fails if the transfer breaks off
}

// conditions are the conditional fields of a request (RFC 9110 section 13.1), and
// description the fields of a response that are passed on.
func conditions() []string {
	return []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
}

func description() []string {
	return []string{"Content-Type", "Content-Disposition", "Content-Range", "Etag", "Last-Modified"}
}

// Get returns the file at p. It passes on the conditions and the ranges of asked; see
// [spans] for which ranges. A folder is [ErrIsFolder].
func (f *Folder) Get(ctx context.Context, p Path, asked http.Header) (*Download, error) {
	return f.read(ctx, http.MethodGet, p, asked)
}

// Head is [Folder.Get] without the content. It ignores ranges (RFC 9110 section 14.2).
func (f *Folder) Head(ctx context.Context, p Path, asked http.Header) (*Download, error) {
	return f.read(ctx, http.MethodHead, p, asked)
}

func (f *Folder) read(ctx context.Context, method string, p Path, asked http.Header) (*Download, error) {
	const op = "get"
	if p.IsRoot() {
		return nil, &Error{Op: op, Kind: ErrIsFolder}
	}
	header, parts := passedOn(method, asked)
	resp, err := f.do(ctx, call{
		op: op, method: method, url: f.of(p), header: header,
		ok: []int{http.StatusOK, http.StatusPartialContent, http.StatusNotModified},
	})
	switch {
	case errors.Is(err, ErrRange):
		return nil, f.noRange(ctx, p, parts, err)
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusPartialContent && !unchanged(header.Get("If-Range"), resp.Header):
		resp.Body.Close()
		whole := asked.Clone()
		whole.Del("Range")
		return f.read(ctx, method, p, whole)
	}
	d := &Download{Status: resp.StatusCode, Size: resp.ContentLength, Header: http.Header{}, Body: resp.Body}
	for _, name := range description() {
		if value := resp.Header.Get(name); value != "" {
			d.Header.Set(name, value)
		}
	}
	switch {
	case d.Status == http.StatusPartialContent && !d.checkPart(parts):
		err = &Error{Op: op, Kind: ocs.ErrBadAnswer, Status: d.Status, cause: errPart}
	case d.Status == http.StatusNotModified || d.Header.Get("Etag") != "":
		return d, nil
	case resp.Header.Get("Oc-Etag") == "" && resp.Header.Get("Content-Disposition") == "":
		err = &Error{Op: op, Kind: ErrIsFolder, Status: d.Status} // Nextcloud responds with a text about WebDAV
	default:
		err = &Error{Op: op, Kind: ocs.ErrBadAnswer, Status: d.Status}
	}
	resp.Body.Close()
	return nil, err
}

// passedOn returns the fields of the request to the server, and the ranges in them.
func passedOn(method string, asked http.Header) (header http.Header, parts []span) {
	header = http.Header{}
	for _, name := range conditions() {
		if values := asked.Values(name); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if method != http.MethodGet {
		return header, nil
	}
	if parts = spans(asked); len(parts) > 0 {
		header.Set("Range", rangeHeader(parts))
		if ifRange := asked.Get("If-Range"); ifRange != "" {
			header.Set("If-Range", ifRange)
		}
	}
	return header, parts
}

var errPart = errors.New("the part is not the one that was asked for")

// noRange adds the size of the file to the error for ranges that it does not have. The
// client needs the size (RFC 9110 section 15.5.17), and the server does not send it.
func (f *Folder) noRange(ctx context.Context, p Path, parts []span, err error) error {
	e, _ := errors.AsType[*Error](err)
	if len(parts) == 0 {
		e.Kind = ocs.ErrBadAnswer
		return e
	}
	is, err := f.Stat(ctx, p)
	if err != nil {
		return err
	}
	e.Size = is.Size
	return e
}
