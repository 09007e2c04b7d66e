// Package tracing sends traces of requests to an OpenTelemetry collector: a span for each
// request, and below it spans for its statements, its calls of Nextcloud and its wait for a
// password hash. Only the binary links it.
//
// Begin with [Settings.Load] and [Start]. Spans contain no more than the log does: routes
// instead of paths, the text of statements without arguments, and neither addresses of
// clients nor names of files. That is why the spans are made here: the general
// instrumentation of HTTP clients and servers records URLs, which contain both.
//
// A trace that a client began continues (W3C Trace Context): its ids are in the log, and
// Nextcloud gets them, also if the gateway itself sends no traces.
package tracing

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/voiceassist/gateway/shared/foundation/version"
)

// reportInterval is the shortest time between two log lines about traces that could not
// be sent.
const reportInterval = time.Minute

// A Tracer makes spans. It is safe for concurrent use.
type Tracer struct {
	tracer   trace.Tracer             // nil if no traces are sent
	provider *sdktrace.TracerProvider // nil if no traces are sent
	target   string                   // "" if no traces are sent
	w3c      propagation.TraceContext
}

// Start returns a tracer that sends traces in the background as the settings say. It
// contacts nothing before the first span has ended. Failures to send traces are logged.
// They affect no request: spans that do not fit the queue are dropped.
func Start(ctx context.Context, s Settings, log *slog.Logger) (*Tracer, error) {
	if s.URL == nil {
		return new(Tracer), nil
	}
	exporter, err := otlptracehttp.New(ctx, s.options()...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	attributes := append([]attribute.KeyValue{
		attribute.String("service.name", s.Service), attribute.String("service.version", version.String()),
	}, s.Attributes...)
	otel.SetErrorHandler(&failures{log: log})
	t := &Tracer{target: s.URL.Redacted(), provider: sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithSampler(s.Sampler), sdktrace.WithResource(resource.NewSchemaless(attributes...)),
	)}
	t.tracer = t.provider.Tracer("github.com/voiceassist/gateway")
	return t, nil
}

func (s Settings) options() []otlptracehttp.Option {
	o := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(s.URL.String()), otlptracehttp.WithTimeout(s.Timeout)}
	if s.Compress {
		o = append(o, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	}
	if s.Roots != nil {
		o = append(o, otlptracehttp.WithTLSClientConfig(&tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12}))
	}
	if len(s.Headers) > 0 {
		plain := map[string]string{}
		for name, value := range s.Headers {
			plain[name] = value.Reveal()
		}
		o = append(o, otlptracehttp.WithHeaders(plain))
	}
	return o
}

// Target returns where traces are sent, for the log; "" if they are not.
func (t *Tracer) Target() string { return t.target }

// Close sends what is left, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// failures logs that traces could not be sent.
type failures struct {
	log *slog.Logger

	mu     sync.Mutex
	logged time.Time
}

// Handle implements [otel.ErrorHandler].
func (f *failures) Handle(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.logged) >= reportInterval {
		f.logged = now
		f.log.LogAttrs(context.Background(), slog.LevelWarn, "traces cannot be sent", slog.String("cause", err.Error()))
	}
}

// traceparent is the canonical name of the header with the ids of a trace.
var traceparent = http.CanonicalHeaderKey("traceparent")
