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

// statusOf is the whole mapping from domain to HTTP.
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

// StatusOf returns the HTTP status that faults of the kind are answered with,
// 0 for a kind without a row.
func StatusOf(k fault.Kind) int { return statusOf[k] }

// A problem is the body of every failed request (RFC 9457 section 3). Its type
// is a URN that names the code, as there is no page to dereference.
type problem struct {
	Type          string        `json:"type"`
	Title         string        `json:"title"`
	Status        int           `json:"status"`
	Detail        string        `json:"detail"`
	Instance      string        `json:"instance"`
	Code          string        `json:"code"`
	CorrelationID string        `json:"correlation_id"`
	Errors        []fault.Field `json:"errors,omitempty"`
	Truncated     bool          `json:"truncated,omitempty"` // there are more errors
}

var (
	errTimeout = fault.New(fault.Unavailable, "timeout", "The request took too long. Try again shortly.").After(2 * time.Second)
	errGone    = fault.New(fault.Malformed, "client_closed_request", "The request was cancelled.")
)

// Reject answers r with the problem of err and notes it for the log event. It
// is the one door through which every failure leaves.
func Reject(w http.ResponseWriter, r *http.Request, err error) {
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
		refusal.Verdict.Header(h)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	write(w, r, status, "application/problem+json", problem{
		Type: "urn:voiceassist:problem:" + f.Code, Title: http.StatusText(status), Status: status,
		Detail: f.Detail, Instance: instance(r.URL), Code: f.Code,
		CorrelationID: x.origin.CorrelationID, Errors: f.Fields, Truncated: f.Truncated,
	})
}

const maxInstance = 1000 // bytes before they are escaped

// instance is the path with the escapes it needs, which is all that is known of
// it behind API Gateway. A long one is cut between two characters.
func instance(u *url.URL) string {
	path := u.Path
	if len(path) > maxInstance {
		path = strings.ToValidUTF8(path[:maxInstance], "")
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// RecordError keeps the fault of err for the log event of r, whose answer has begun
// already and can only be cut off.
func RecordError(r *http.Request, err error) { exchangeOf(r).fault = fault.Of(err) }

// classify returns the fault of err; an error of the context is nobody's bug.
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

// challenge returns the WWW-Authenticate header of a 401 (RFC 6750 section 3).
func challenge(f *fault.Error) string {
	if f.Kind == fault.InvalidToken {
		return `Bearer realm="voiceassist", error="invalid_token", error_description="` + f.Code + `"`
	}
	return `Bearer realm="voiceassist"`
}
