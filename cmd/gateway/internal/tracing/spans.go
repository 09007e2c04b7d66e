package tracing

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/store"
)

// Attributes of spans, as in OpenTelemetry's semantic conventions.
const (
	keyMethod = attribute.Key("http.request.method")
	keyRoute  = attribute.Key("http.route")
	keyStatus = attribute.Key("http.response.status_code")
	keyError  = attribute.Key("error.type")
	keySystem = attribute.Key("db.system.name")
	keyQuery  = attribute.Key("db.query.text")
	keyAPI    = attribute.Key("nextcloud.api") // ours: "ocs" or "webdav"
	keyCode   = attribute.Key("problem.code")  // ours: the code of an error response
)

// Handler returns next with a span for each request, except probes of its health.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if r.Header[traceparent] != nil {
			ctx = t.w3c.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		if t.tracer != nil && r.URL.Path != "/health" && r.URL.Path != "/ready" {
			var span trace.Span
			// [Tracer.Request] adds the route, which is not known yet.
			ctx, span = t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
			defer span.End()
		}
		if ctx != r.Context() {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// Request describes a request in its span, after its response.
func (t *Tracer) Request(ctx context.Context, e endpoint.Event) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	name := e.Route
	if name == "" {
		name = e.Method
	}
	span.SetName(name)
	span.SetAttributes(keyMethod.String(e.Method), keyRoute.String(e.Route), keyStatus.Int(e.Status))
	if e.Code != "" {
		span.SetAttributes(keyCode.String(e.Code))
	}
	if e.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(keyError.String(e.Code))
	}
}

// Statement begins the span of a statement of the engine, as [store.DB.Trace] wants it.
// The background work of the server has no request, and so no spans of statements.
func (t *Tracer) Statement(engine string) func(ctx context.Context, query string) (end func(error)) {
	system := keySystem.String(engine)
	if engine == store.PostgreSQL {
		system = keySystem.String("postgresql") // its name in the conventions
	}
	return func(ctx context.Context, query string) func(error) {
		if !trace.SpanFromContext(ctx).IsRecording() {
			return nil
		}
		words := strings.Fields(query)
		_, span := t.tracer.Start(ctx, words[0], trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(system, keyQuery.String(strings.Join(words, " "))))
		return func(err error) { finish(span, err) }
	}
}

// Wait begins the span of the wait for a password hash, as [password.Hasher.Wait] wants it.
func (t *Tracer) Wait(ctx context.Context) (end func(error)) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return func(error) {}
	}
	_, span := t.tracer.Start(ctx, "wait to hash a password")
	return func(err error) { finish(span, err) }
}

// finish ends a span. The text of an error may contain more than a span may.
func finish(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(keyError.String(fault.Of(err).Code))
	}
	span.End()
}

// Nextcloud returns what sends requests to Nextcloud through next, with a span for each
// and the ids of the trace.
func (t *Tracer) Nextcloud(next http.RoundTripper) http.RoundTripper {
	return &caller{RoundTripper: next, t: t}
}

type caller struct {
	http.RoundTripper

	t *Tracer
}

// RoundTrip sends the request. The span ends when the response begins.
func (c *caller) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if c.t.tracer == nil {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return c.RoundTripper.RoundTrip(r)
		}
		return c.RoundTripper.RoundTrip(c.with(ctx, r))
	}
	api := nextcloud.API(r)
	ctx, span := c.t.tracer.Start(ctx, api+" "+r.Method, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(keyMethod.String(r.Method), keyAPI.String(api)))
	defer span.End()
	resp, err := c.RoundTripper.RoundTrip(c.with(ctx, r))
	if err != nil {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(keyError.String("unreachable"))
		return nil, err
	}
	span.SetAttributes(keyStatus.Int(resp.StatusCode))
	if resp.StatusCode >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	return resp, nil
}

// with returns r with the ids of the trace of ctx. The context of the request remains:
// net/http watches it.
func (c *caller) with(ctx context.Context, r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	c.t.w3c.Inject(ctx, propagation.HeaderCarrier(r.Header))
	return r
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (c *caller) CloseIdleConnections() {
	if closer, ok := c.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
