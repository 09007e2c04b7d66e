// Package faastest tests Lambda functions without Lambda.
//
// [V2], [V1], [URL], [ALB] and [ALBMulti] return clients of a handler behind one of the
// fronts. Each request is converted to an event of that front and passed to package faas,
// and the result is converted to the response that a client would get. So a test that
// takes an [http.RoundTripper] runs against the binary and every front alike.
//
// [Start] runs a bootstrap, as it will be deployed, under an emulation of the Lambda
// Runtime API. A [Process] is a lambda.Handler, so the same clients reach it:
// faastest.FrontV2.Client(process).
package faastest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/voiceassist/gateway/shared/faas"
)

// A Front is a service that stands between a client and a function.
type Front int

// The fronts.
const (
	FrontV2       Front = iota // API Gateway HTTP API, payload 2.0
	FrontV1                    // API Gateway REST API, payload 1.0
	FrontURL                   // Function URL
	FrontALB                   // Application Load Balancer
	FrontALBMulti              // the same with multi-value headers
)

// Fronts returns every front.
func Fronts() []Front { return []Front{FrontV2, FrontV1, FrontURL, FrontALB, FrontALBMulti} }

// String names the front.
func (f Front) String() string {
	return [...]string{"HTTP API", "REST API", "Function URL", "ALB", "ALB multi-value"}[f]
}

// V2 returns a client of h behind an HTTP API. The function sees the path decoded, as
// there.
func V2(h http.Handler) http.RoundTripper { return FrontV2.Client(faas.Handler(h)) }

// V1 returns a client of h behind a REST API.
func V1(h http.Handler) http.RoundTripper { return FrontV1.Client(faas.Handler(h)) }

// URL returns a client of h behind a Function URL.
func URL(h http.Handler) http.RoundTripper { return FrontURL.Client(faas.Handler(h)) }

// ALB returns a client of h behind a load balancer.
func ALB(h http.Handler) http.RoundTripper { return FrontALB.Client(faas.Handler(h)) }

// ALBMulti returns a client of h behind a load balancer with multi-value headers.
func ALBMulti(h http.Handler) http.RoundTripper { return FrontALBMulti.Client(faas.Handler(h)) }

// functionTime is the timeout of a function if the request has no deadline.
const functionTime = 30 * time.Second

// Client returns a client of the function behind f. If the function fails, the response is
// the 500 or 502 of that front. The RemoteAddr of a request is the client's address; if
// empty, the address is 203.0.113.7.
func (f Front) Client(function lambda.Handler) http.RoundTripper {
	return client{f, function}
}

type client struct {
	front    Front
	function lambda.Handler
}

// RoundTrip sends r through the front and the function.
func (c client) RoundTrip(r *http.Request) (*http.Response, error) {
	event, err := c.front.Event(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), functionTime)
	defer cancel()
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: requestID})
	payload, err := c.function.Invoke(ctx, event)
	if err != nil {
		return c.front.failed(r), nil
	}
	return c.front.Response(r, payload), nil
}

// requestID is the request id of in-process invocations.
const requestID = "11111111-2222-3333-4444-555555555555"

// Event converts r to an event of f. It reads the body.
func (f Front) Event(r *http.Request) ([]byte, error) {
	q, err := requestOf(r)
	if err != nil {
		return nil, err
	}
	switch f {
	case FrontV1:
		return q.v1()
	case FrontALB, FrontALBMulti:
		return q.alb(f == FrontALBMulti)
	case FrontURL:
		return q.v2(q.escapedPath, "0123456789abcdef.lambda-url.eu-central-1.on.aws")
	default:
		return q.v2(q.path, "abcdefghij.execute-api.eu-central-1.amazonaws.com")
	}
}

// Response converts the function's result to the response that f sends to the client. A
// result that f cannot parse is a failure of the function.
func (f Front) Response(r *http.Request, payload []byte) *http.Response {
	a, err := f.parse(payload)
	if err != nil {
		return f.failed(r)
	}
	return response(r, a.status, a.header, a.body)
}

// failed returns the response of f for a failed function.
func (f Front) failed(r *http.Request) *http.Response {
	status, body := http.StatusBadGateway, `{"message":"Internal server error"}`
	if f == FrontV2 {
		status, body = http.StatusInternalServerError, `{"message":"Internal Server Error"}`
	}
	return response(r, status, http.Header{"Content-Type": {"application/json"}}, []byte(body))
}

func response(r *http.Request, status int, h http.Header, body []byte) *http.Response {
	if status == http.StatusNoContent || status == http.StatusNotModified || r.Method == http.MethodHead {
		body = nil
	}
	length := int64(len(body))
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && r.Method == http.MethodHead {
		length = n
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: length, Request: r,
	}
}
