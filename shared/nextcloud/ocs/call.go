package ocs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// A call is one request of the API and how its answers are to be read.
type call struct {
	op     string // for errors
	method string
	path   []string
	query  url.Values
	form   url.Values
	as     credentials
	agent  string        // the User-Agent; "" is ours
	writes bool          // has an effect, so a lost answer is uncertain
	once   bool          // a repetition could count as another failed login
	kinds  map[int]error // codes of meta.statuscode that mean something special here
	data   any           // where the data goes; nil when there is none
}

// errTooLarge, errRedirect and errData say what was wrong with an answer.
var (
	errTooLarge = fmt.Errorf("larger than %d bytes", maxAnswer)
	errRedirect = errors.New("a redirect")
	errData     = errors.New("data of another form")
)

// An answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes the call and returns nil when meta.statuscode says that it succeeded.
func (c *Client) do(ctx context.Context, k call) error {
	u := c.server.URL(append([]string{"ocs", "v2.php"}, k.path...)...)
	query := url.Values{"format": {"json"}}
	maps.Copy(query, k.query)
	u.RawQuery = query.Encode()
	got, failure := c.send(ctx, k, u)
	if failure != nil {
		return failure
	}
	e := k.judge(got)
	if e.Kind != nil {
		return e
	}
	return nil
}

// send makes one HTTP request and reads the whole answer.
func (c *Client) send(ctx context.Context, k call, u *url.URL) (answer, *Error) {
	timeout := c.timeout
	if k.writes {
		timeout = c.writeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var sent atomic.Bool // from having a connection on, bytes may have left
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	req, err := k.request(ctx, u)
	if err != nil {
		return answer{}, &Error{Op: k.op, Kind: ErrInvalid, cause: err}
	}
	resp, err := c.server.Do(req)
	if err != nil {
		return answer{}, k.lost(err, sent.Load(), 0)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return answer{}, k.lost(err, true, resp.StatusCode)
	}
	return answer{resp.StatusCode, resp.Header, body}, nil
}

// request builds the HTTP request.
func (k call) request(ctx context.Context, u *url.URL) (*http.Request, error) {
	var body io.Reader = http.NoBody
	switch {
	case k.form != nil:
		body = strings.NewReader(k.form.Encode())
	case (k.writes || k.once) && k.method == http.MethodGet:
		// net/http repeats a GET without a body when a reused connection breaks.
		body = io.NopCloser(strings.NewReader(""))
	}
	req, err := transport.NewRequest(ctx, k.method, u, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("OCS-APIRequest", "true") // without it: 412, nothing executed
	req.Header.Set("Accept", "application/json")
	if k.agent != "" {
		req.Header.Set("User-Agent", k.agent)
	}
	if k.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if k.as.user != "" {
		req.SetBasicAuth(k.as.user, k.as.password.Reveal())
	}
	return req, nil
}

// lost is the error of a call without a complete answer.
func (k call) lost(err error, sent bool, status int) *Error {
	e := &Error{Op: k.op, Kind: ErrUnavailable, Status: status, cause: err}
	switch {
	case k.writes && sent:
		e.Kind = ErrUncertain
	case status != 0 && !timedOut(err):
		e.Kind = ErrBadAnswer // the header came, the body broke off
	}
	return e
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// judge says what an answer means. Its Kind is nil when the call succeeded.
func (k call) judge(got answer) *Error {
	e := &Error{Op: k.op, Status: got.status, RetryAfter: transport.RetryAfter(got.header)}
	doc, err := decode(got.header.Get("Content-Type"), got.body)
	if len(got.body) > maxAnswer {
		err = errTooLarge
	}
	if err != nil {
		k.judgeStatus(e, got, err)
		return e
	}
	e.Code, e.Message = doc.code, doc.message
	switch e.Kind = k.kind(doc.code); {
	case e.Kind == nil && k.data != nil && json.Unmarshal(doc.data, k.data) != nil:
		e.Kind, e.cause, e.uncertain = ErrBadAnswer, errData, k.writes
	case errors.Is(e.Kind, ErrRateLimited) && e.RetryAfter == 0:
		e.RetryAfter = editWindow
	}
	return e
}

// kind maps the code of an answer; nil is success.
func (k call) kind(code int) error {
	if kind, ok := k.kinds[code]; ok {
		return kind
	}
	switch code {
	case metaOK, metaOK1:
		return nil
	case metaUnauthorized, http.StatusUnauthorized:
		return ErrUnauthorized
	case metaForbidden:
		return ErrForbidden
	case http.StatusTooManyRequests:
		return ErrRateLimited
	case metaUnavailable:
		return ErrMaintenance
	case metaServerError, metaServerError1:
		// Also what a server answers that locked us out: it cannot be told apart.
		if k.writes {
			return ErrUncertain
		}
		return ErrUnavailable
	}
	return ErrRefused
}

// judgeStatus goes by the HTTP status where the answer is no OCS document: some
// have no body by design, others come from what stands before the server.
func (k call) judgeStatus(e *Error, got answer, err error) {
	e.Kind, e.cause = ErrBadAnswer, err
	switch status := got.status; {
	case status == http.StatusUnauthorized:
		e.Kind = ErrUnauthorized
	case status == http.StatusTooManyRequests:
		e.Kind, e.cause = ErrRateLimited, nil
		if e.RetryAfter == 0 {
			e.RetryAfter = editWindow
		}
	case status == http.StatusServiceUnavailable:
		e.Kind = ErrUnavailable
		if got.header.Get("X-Nextcloud-Maintenance-Mode") == "1" {
			e.Kind = ErrMaintenance
		}
	case status >= http.StatusInternalServerError: // of a proxy: 502, 504
		e.Kind = ErrUnavailable
		if k.writes {
			e.Kind = ErrUncertain
		}
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		e.cause = errRedirect
	case status < http.StatusMultipleChoices:
		e.uncertain = k.writes
	}
}
