package faas

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/voiceassist/gateway/shared/foundation/correlation"
)

// A problem is the body of an error response that this package writes instead of the
// handler (RFC 9457). It has the same form as the handler's own.
type problem struct {
	Type          string `json:"type"`
	Title         string `json:"title"`
	Status        int    `json:"status"`
	Detail        string `json:"detail"`
	Instance      string `json:"instance,omitempty"`
	Code          string `json:"code"`
	CorrelationID string `json:"correlation_id,omitempty"`
}

var (
	malformed = problem{Status: http.StatusBadRequest, Code: "malformed_request",
		Detail: "The request is malformed."}
	internalError = problem{Status: http.StatusInternalServerError, Code: "internal_error",
		Detail: "The gateway failed to handle the request."}
	starting = problem{Status: http.StatusServiceUnavailable, Code: "starting",
		Detail: "The function is still starting. Try again shortly."}
)

// reject answers q with p.
func (via front) reject(ctx context.Context, q request, p problem) ([]byte, error) {
	p.Instance, _, _ = strings.Cut(q.Path, "?")
	p.CorrelationID = correlationID(ctx, q.MultiValueHeaders)
	return via.answer(q, p.send)
}

// send writes p.
func (p problem) send(w http.ResponseWriter) {
	p.Type, p.Title = "urn:voiceassist:problem:"+p.Code, http.StatusText(p.Status)
	h := w.Header()
	if p.CorrelationID != "" {
		h.Set(correlation.Header, p.CorrelationID)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) //nolint:errcheck // strings, into a buffer
}

// correlationID returns the client's ID, or the ID of the invocation if the client sent
// none.
func correlationID(ctx context.Context, h http.Header) string {
	if id := correlation.ID(h); id != "" {
		return id
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}
