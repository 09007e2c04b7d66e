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

// A call is one API request, and how to read its response.
type call struct {
	op     string // for errors
	method string
	path   []string
	query  url.Values
	form   url.Values
	as     credentials
	agent  string        // User-Agent; "" for [transport.UserAgent]
	writes bool          // has an effect, so a lost response is uncertain
	once   bool          // a repeated request could count as another failed login
	kinds  map[int]error // meaning of meta.statuscode, where it differs from [call.kind]
	data   any           // decoded data; nil if there is none
}

// What is wrong with a response.
var (
	errTooLarge = fmt.Errorf("larger than %d bytes", maxResponse)
	errRedirect = errors.New("a redirect")
	errData     = errors.New("data of another form")
)

// A response is an HTTP response that was read completely.
type response struct {
	status int
	header http.Header
	body   []byte
}

// do makes the call and returns nil if meta.statuscode reports success.
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

// send makes one HTTP request and reads the complete response.
func (c *Client) send(ctx context.Context, k call, u *url.URL) (response, *Error) {
	timeout := c.timeout
	if k.writes {
		timeout = c.writeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var sent atomic.Bool // with a connection, bytes may have been sent
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	req, err := k.request(ctx, u)
	if err != nil {
		return response{}, &Error{Op: k.op, Kind: ErrInvalid, cause: err}
	}
	resp, err := c.server.Do(req)
	if err != nil {
		return response{}, k.lost(err, sent.Load(), 0)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return response{}, k.lost(err, true, resp.StatusCode)
	}
	return response{resp.StatusCode, resp.Header, body}, nil
}

// request builds the HTTP request.
func (k call) request(ctx context.Context, u *url.URL) (*http.Request, error) {
	var body io.Reader = http.NoBody
	switch {
	case k.form != nil:
		body = strings.NewReader(k.form.Encode())
	case (k.writes || k.once) && k.method == http.MethodGet:
		// net/http repeats a GET without a body if a reused connection breaks.
		body = io.NopCloser(strings.NewReader(""))
	}
	req, err := transport.NewRequest(ctx, k.method, u, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("OCS-APIRequest", "true") // without it, Nextcloud responds with 412
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

// lost returns the error of a call without a complete response.
func (k call) lost(err error, sent bool, status int) *Error {
	e := &Error{Op: k.op, Kind: ErrUnavailable, Status: status, cause: err}
	switch {
	case k.writes && sent:
		e.Kind = ErrUncertain
	case status != 0 && !timedOut(err):
		e.Kind = ErrBadAnswer // the header arrived, but not the complete body
	}
	return e
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// judge interprets a response. The Kind of its result is nil if the call succeeded.
func (k call) judge(got response) *Error {
	e := &Error{Op: k.op, Status: got.status, RetryAfter: transport.RetryAfter(got.header)}
	doc, err := decode(got.header.Get("Content-Type"), got.body)
	if len(got.body) > maxResponse {
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

// kind maps meta.statuscode to an error; nil is success.
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
		// Also the response of a server that locked this address out.
		if k.writes {
			return ErrUncertain
		}
		return ErrUnavailable
	}
	return ErrRefused
}

// judgeStatus interprets the HTTP status of a response that is not an OCS document: some
// have no body by design, others come from a proxy in front of the server.
func (k call) judgeStatus(e *Error, got response, err error) {
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
