package endpoint

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// statusOf maps the kinds of faults to HTTP statuses. No other code does.
var statusOf = map[fault.Kind]int{
	fault.Internal:             http.StatusInternalServerError,
	fault.Malformed:            http.StatusBadRequest,
	fault.Invalid:              http.StatusUnprocessableEntity,
	fault.Unauthenticated:      http.StatusUnauthorized,
	fault.InvalidToken:         http.StatusUnauthorized,
	fault.Forbidden:            http.StatusForbidden,
	fault.NotFound:             http.StatusNotFound,
	fault.MethodNotAllowed:     http.StatusMethodNotAllowed,
	fault.Conflict:             http.StatusConflict,
	fault.PreconditionFailed:   http.StatusPreconditionFailed,
	fault.TooLarge:             http.StatusRequestEntityTooLarge,
	fault.RangeNotSatisfiable:  http.StatusRequestedRangeNotSatisfiable,
	fault.UnsupportedMediaType: http.StatusUnsupportedMediaType,
	fault.RateLimited:          http.StatusTooManyRequests,
	fault.Unavailable:          http.StatusServiceUnavailable,
	fault.InsufficientStorage:  http.StatusInsufficientStorage,
}

// StatusOf returns the HTTP status for faults of the kind, or 0 for an unknown
// kind.
func StatusOf(k fault.Kind) int { return statusOf[k] }

// A problem is the body of every failed request (RFC 9457 section 3), except of browsers
// that asked for a page. Its type is a URN with the code, as there is no page to dereference.
type problem struct {
	Type          string        `json:"type"`
	Title         string        `json:"title"`
	Status        int           `json:"status"`
	Detail        string        `json:"detail"`
	Instance      string        `json:"instance"`
	Code          string        `json:"code"`
	CorrelationID string        `json:"correlation_id"`
	Errors        []fault.Field `json:"errors,omitempty"`
	Truncated     bool          `json:"truncated,omitempty"` // Errors is incomplete
}

var (
	errTimeout = fault.New(fault.Unavailable, "timeout", "The request took too long. Try again shortly.").After(2 * time.Second)
	errGone    = fault.New(fault.Malformed, "client_closed_request", "The request was cancelled.")
)

// reject responds to r with the problem for err, or a page about it, and records it for the log
// event. All failures leave the gateway through it.
func reject(w http.ResponseWriter, r *http.Request, err error) {
	f := classify(r.Context(), err)
	x := exchangeOf(r)
	x.fault = f
	status, ok := statusOf[f.Kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge(f))
	}
	if errors.Is(f, errEncoding) {
		h.Set("Accept-Encoding", "identity") // RFC 9110 section 12.5.3
	}
	if refusal, ok := errors.AsType[*ratelimit.Refusal](err); ok {
		refusal.Result.Header(h)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	p := problem{
		Type: "urn:voiceassist:problem:" + f.Code, Title: http.StatusText(status), Status: status,
		Detail: f.Detail, Instance: instance(r.URL), Code: f.Code,
		CorrelationID: x.origin.CorrelationID, Errors: f.Fields, Truncated: f.Truncated,
	}
	if wantsPage(r) {
		writePage(w, r, p)
		return
	}
	write(w, r, status, "application/problem+json", p)
}

const maxInstance = 1000 // bytes before escaping

// instance returns the escaped path, cut at a character boundary if it is long.
// It ignores the spelling that the client sent, because API Gateway passes on
// the decoded path only.
func instance(u *url.URL) string {
	path := u.Path
	if len(path) > maxInstance {
		path = strings.ToValidUTF8(path[:maxInstance], "")
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// RecordError records err for the log event of r, for a response that has
// already begun and can only be aborted.
func RecordError(r *http.Request, err error) { exchangeOf(r).fault = fault.Of(err) }

// classify returns the fault for err. An error of the context is not an
// internal error.
func classify(ctx context.Context, err error) *fault.Error {
	f := fault.Of(err)
	if f.Kind != fault.Internal {
		return f
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout.Because(err)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return errGone.Because(err)
	}
	return f
}

// challenge returns the WWW-Authenticate header of a 401 response (RFC 6750
// section 3).
func challenge(f *fault.Error) string {
	if f.Kind == fault.InvalidToken {
		return `Bearer realm="voiceassist", error="invalid_token", error_description="` + f.Code + `"`
	}
	return `Bearer realm="voiceassist"`
}
