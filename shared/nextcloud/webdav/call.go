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
	maxError = 64 << 10 // bytes read of an answer that tells an error
	tries    = 4        // of a call without a body, while it is refused as locked: for 1.4 s
)

// A call is one request and how its answers are to be read.
type call struct {
	op      string
	method  string
	url     *url.URL
	header  http.Header
	text    string        // a small body, which can be sent again
	body    io.Reader     // one that is read once; nil for none
	size    int64         // of body, in bytes
	patient bool          // an answer may take as long as joining chunks does
	tries   int           // while it is refused as locked; 0 is the usual number
	moves   bool          // what was done cannot be done again, as the source is gone
	ok      []int         // statuses of success
	kinds   map[int]error // what a status means for this call only
}

// do makes the call and gives back the answer, whose body the caller closes.
// Unless it sends a file, it is tried again a few times while the file is in
// use, and what can be repeated once more when the connection breaks.
func (f *Folder) do(ctx context.Context, k call) (*http.Response, error) {
	most := cmp.Or(k.tries, tries)
	for n := 1; ; n++ {
		resp, err := f.once(ctx, k)
		if err == nil || k.body != nil || n == most || !k.again(err, n) {
			return resp, err
		}
		if err := transport.Sleep(ctx, time.Duration(n*n)*100*time.Millisecond); err != nil {
			return nil, &Error{Op: k.op, Kind: ocs.ErrUnavailable, cause: err}
		}
	}
}

// again reports whether the nth failure is worth another try.
func (k call) again(err error, n int) bool {
	e, _ := errors.AsType[*Error](err)
	return errors.Is(e.Kind, ErrLocked) ||
		n == 1 && e.Status == 0 && !k.moves && !errors.Is(err, errSlow) && !errors.Is(err, context.Canceled) &&
			!errors.Is(err, context.DeadlineExceeded)
}

// once makes the call once.
func (f *Folder) once(ctx context.Context, k call) (*http.Response, error) {
	c := f.client
	limit := c.Answer
	if k.patient {
		limit = c.Assembly
	}
	w := newWatch(ctx, c.Idle)
	var body io.Reader = strings.NewReader(k.text)
	if k.body != nil && k.size != 0 {
		body = &watched{Reader: k.body, watch: w, end: limit}
	} else {
		w.expect(limit)
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
	req.Header.Set("Accept-Encoding", "identity") // what is counted and hashed is the file
	req.SetBasicAuth(f.user, f.password.Reveal())
	resp, err := c.server.Do(req)
	if err != nil {
		w.stop()
		return nil, f.lost(w, k, err)
	}
	w.expect(c.Idle)
	resp.Body = &watchedBody{watched{Reader: resp.Body, watch: w}, resp.Body}
	if slices.Contains(k.ok, resp.StatusCode) {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, k.judge(resp)
}

// lost is the error of a call without an answer.
func (f *Folder) lost(w *watch, k call, err error) error {
	e := &Error{Op: k.op, Kind: ocs.ErrUnavailable, cause: err}
	switch {
	case errors.Is(context.Cause(w.ctx), errSlow):
		e.cause = errSlow
	case errors.Is(err, ErrSource):
		e.Kind = ErrSource
	}
	return e
}

// judge says what an answer that is no success means.
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

// errorClass reads the body of an error: the class of the exception without its
// namespace, and the message. A body of another form has neither.
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

// run makes a call whose answer has nothing to read.
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
