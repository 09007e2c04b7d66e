// Package faastest tests Lambda functions without Lambda.
//
// [V2], [V1], [URL], [ALB] and [ALBMulti] are clients of a handler behind one
// of the fronts: each request becomes the event of that front, runs through
// faas, and its answer comes back as the response the client would see. A
// script that takes an [http.RoundTripper] so runs against the binary and every
// front alike.
//
// [Start] runs a bootstrap, as it will be deployed, under an emulation of the
// Lambda Runtime API. A [Process] is a lambda.Handler, so the same clients
// reach it: faastest.FrontV2.Client(process).
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

// A Front is what stands between a client and a function.
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

// V2 is a client of h behind an HTTP API. As there, the function sees the path
// decoded.
func V2(h http.Handler) http.RoundTripper { return FrontV2.Client(faas.Handler(h)) }

// V1 is a client of h behind a REST API.
func V1(h http.Handler) http.RoundTripper { return FrontV1.Client(faas.Handler(h)) }

// URL is a client of h behind a Function URL.
func URL(h http.Handler) http.RoundTripper { return FrontURL.Client(faas.Handler(h)) }

// ALB is a client of h behind a load balancer.
func ALB(h http.Handler) http.RoundTripper { return FrontALB.Client(faas.Handler(h)) }

// ALBMulti is a client of h behind a load balancer with multi-value headers.
func ALBMulti(h http.Handler) http.RoundTripper { return FrontALBMulti.Client(faas.Handler(h)) }

// functionTime is the timeout of a function for requests without a deadline.
const functionTime = 30 * time.Second

// Client returns a client of the function behind f. A failure of the function
// is the 500 or 502 that the front sends then. The RemoteAddr of a request,
// where it is set, is the address it comes from; else 203.0.113.7.
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

// requestID is what Lambda calls invocations in process.
const requestID = "11111111-2222-3333-4444-555555555555"

// Event returns the event that f makes of r. It reads the body.
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

// Response returns what f sends to the client for the answer of the function to
// r; an answer that f cannot read is the function's failure.
func (f Front) Response(r *http.Request, payload []byte) *http.Response {
	a, err := f.parse(payload)
	if err != nil {
		return f.failed(r)
	}
	return response(r, a.status, a.header, a.body)
}

// failed is the response for a function that failed.
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
