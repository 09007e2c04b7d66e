package webdav

import (
	"context"
	"io"
	"net/http"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

// A Download is a file on its way, or the answer that it did not change.
type Download struct {
	Status int           // 200, 206 for a range, or 304 without a body
	Size   int64         // bytes of the body; -1 when the server does not tell
	Header http.Header   // what describes the content: its type, ETag, time, range
	Body   io.ReadCloser // to be closed; it ends with an error where the transfer breaks off
}

// conditions are the headers of a GET that concern the file (RFC 9110 sections
// 13 and 14), and description those of an answer.
func conditions() []string {
	return []string{
		"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	}
}

func description() []string {
	return []string{"Content-Type", "Content-Disposition", "Content-Range", "Etag", "Last-Modified"}
}

// Get returns the file at p. Of asked, the headers that set conditions or ask
// for a range are passed on. A folder is [ErrIsFolder].
func (f *Folder) Get(ctx context.Context, p Path, asked http.Header) (*Download, error) {
	return f.read(ctx, http.MethodGet, p, asked)
}

// Head is [Folder.Get] without the content.
func (f *Folder) Head(ctx context.Context, p Path, asked http.Header) (*Download, error) {
	return f.read(ctx, http.MethodHead, p, asked)
}

func (f *Folder) read(ctx context.Context, method string, p Path, asked http.Header) (*Download, error) {
	const op = "get"
	if p.IsRoot() {
		return nil, &Error{Op: op, Kind: ErrIsFolder}
	}
	header := http.Header{}
	for _, name := range conditions() {
		if values := asked.Values(name); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	resp, err := f.do(ctx, call{
		op: op, method: method, url: f.of(p), header: header,
		ok: []int{http.StatusOK, http.StatusPartialContent, http.StatusNotModified},
	})
	if err != nil {
		return nil, err
	}
	d := &Download{Status: resp.StatusCode, Size: resp.ContentLength, Header: http.Header{}, Body: resp.Body}
	for _, name := range description() {
		if value := resp.Header.Get(name); value != "" {
			d.Header.Set(name, value)
		}
	}
	switch {
	case d.Status == http.StatusNotModified || d.Header.Get("Etag") != "":
		return d, nil
	case resp.Header.Get("Oc-Etag") == "" && resp.Header.Get("Content-Disposition") == "":
		err = &Error{Op: op, Kind: ErrIsFolder, Status: d.Status} // it answers with a text about WebDAV
	default:
		err = &Error{Op: op, Kind: nextcloud.ErrBadAnswer, Status: d.Status}
	}
	resp.Body.Close() //nolint:errcheck // nothing of it is wanted
	return nil, err
}
