package webdav

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

const (
	maxError = 64 << 10 // bytes read of an error response
	attempts = 4        // of a call without a body while the file is locked: 1.4 s
)

// A call is one request, and how to read its response.
type call struct {
	op       string
	method   string
	url      *url.URL
	header   http.Header
	text     string        // small body, which can be sent again
	body     io.Reader     // body that is read once; nil for none
	size     int64         // of body, in bytes
	slow     bool          // the response may take as long as assembling chunks
	attempts int           // while the file is locked; 0 for the default
	moves    bool          // cannot be repeated after it succeeded, since the source is gone
	ok       []int         // status codes of success
	kinds    map[int]error // meaning of status codes, where it differs from [kindOf]
}

// do makes the call and returns the response, whose body the caller closes. A call that
// does not send a file is retried a few times while the file is locked, and once if the
// connection breaks and the call can be repeated.
func (f *Folder) do(ctx context.Context, k call) (*http.Response, error) {
	limit := cmp.Or(k.attempts, attempts)
	for n := 1; ; n++ {
		resp, err := f.once(ctx, k)
		if err == nil || k.body != nil || n == limit || !k.retryable(err, n) {
			return resp, err
		}
		if err := transport.Sleep(ctx, time.Duration(n*n)*100*time.Millisecond); err != nil {
			return nil, &Error{Op: k.op, Kind: ocs.ErrUnavailable, cause: err}
		}
	}
}

// retryable reports whether to retry after the nth failure.
func (k call) retryable(err error, n int) bool {
	e, _ := errors.AsType[*Error](err)
	return errors.Is(e.Kind, ErrLocked) ||
		n == 1 && e.Status == 0 && !k.moves && !errors.Is(err, errSlow) && !errors.Is(err, context.Canceled) &&
			!errors.Is(err, context.DeadlineExceeded)
}

// once makes one attempt of the call.
func (f *Folder) once(ctx context.Context, k call) (*http.Response, error) {
	c := f.client
	limit := c.ResponseTimeout
	if k.slow {
		limit = c.AssemblyTimeout
	}
	w := newWatchdog(ctx, c.IdleTimeout)
	var body io.Reader = strings.NewReader(k.text)
	if k.body != nil && k.size != 0 {
		body = &watchedReader{Reader: k.body, watchdog: w, end: limit}
	} else {
		w.extend(limit)
	}
	req, err := transport.NewRequest(w.ctx, k.method, k.url, body)
	if err != nil {
		w.stop()
		return nil, &Error{Op: k.op, Kind: ocs.ErrRefused, cause: err}
	}
	if k.body != nil {
		req.ContentLength = k.size
	}
	req.Header = k.header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept-Encoding", "identity") // sizes and hashes are those of the file
	req.SetBasicAuth(f.user, f.password.Reveal())
	resp, err := c.server.Do(req)
	if err != nil {
		w.stop()
		return nil, f.lost(w, k, err)
	}
	w.extend(c.IdleTimeout)
	resp.Body = &watchedBody{watchedReader{Reader: resp.Body, watchdog: w}, resp.Body}
	if slices.Contains(k.ok, resp.StatusCode) {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, k.judge(resp)
}

// lost returns the error of a call without a response.
func (f *Folder) lost(w *watchdog, k call, err error) error {
	e := &Error{Op: k.op, Kind: ocs.ErrUnavailable, cause: err}
	switch {
	case errors.Is(context.Cause(w.ctx), errSlow):
		e.cause = errSlow
	case errors.Is(err, ErrSource):
		e.Kind = ErrSource
	}
	return e
}

// judge interprets a response that is not a success.
func (k call) judge(resp *http.Response) error {
	e := &Error{
		Op: k.op, Status: resp.StatusCode, RetryAfter: transport.RetryAfter(resp.Header),
	}
	class, message := errorClass(io.LimitReader(resp.Body, maxError))
	e.Class = class
	switch kind, special := k.kinds[resp.StatusCode]; {
	case resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(message, "User disabled"):
		e.Kind = ErrDisabled
	case special && class != "LockedException":
		e.Kind = kind
	default:
		e.Kind = kindOf(resp.StatusCode, class)
	}
	return e
}

// errorClass reads the body of an error response: the class of the exception without its
// namespace, and the message. Both are empty for a body in another format.
func errorClass(body io.Reader) (class, message string) {
	var doc struct {
		XMLName xml.Name `xml:"DAV: error"`
		Class   string   `xml:"http://sabredav.org/ns exception"`
		Message string   `xml:"http://sabredav.org/ns message"`
	}
	if xml.NewDecoder(body).Decode(&doc) != nil {
		return "", ""
	}
	class = doc.Class[strings.LastIndexByte(doc.Class, '\\')+1:]
	if len(class) > 60 || strings.IndexFunc(class, notLetter) >= 0 {
		class = ""
	}
	return class, doc.Message
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

// run makes a call and discards the body of the response.
func (f *Folder) run(ctx context.Context, k call) (*http.Response, error) {
	resp, err := f.do(ctx, k)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxError))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, &Error{Op: k.op, Kind: ocs.ErrBadAnswer, Status: resp.StatusCode, cause: err}
	}
	return resp, nil
}
