package tracing_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/tracing"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/store"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// begin returns a tracer with the settings.
func begin(tb testing.TB, vars map[string]string) *tracing.Tracer {
	tb.Helper()
	var s tracing.Settings
	if err := config.Map(vars).Load(&s); err != nil {
		tb.Fatal(err)
	}
	t, err := tracing.Start(tb.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// collector returns the address of a collector that forgets.
func collector(tb testing.TB) string {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	tb.Cleanup(server.Close)
	return server.URL
}

// request returns what a request costs the tracer: the handler, a statement, a call of
// Nextcloud and a log line, which do nothing themselves.
func request(tb testing.TB, t *tracing.Tracer, header http.Header) func() {
	tb.Helper()
	statement := t.Statement(store.SQLite)
	call := t.Nextcloud(nothing{})
	log := tracing.Log(slog.New(silent{}))
	out := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "https://cloud.example.org/ocs/v2.php", http.NoBody)
	h := t.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if end := statement(ctx, "SELECT 1"); end != nil {
			end(nil)
		}
		call.RoundTrip(out) //nolint:bodyclose // there is none
		t.Request(ctx, endpoint.Event{Method: "GET", Route: "GET /api/users/me", Status: 200})
		log.LogAttrs(ctx, slog.LevelInfo, "request")
	}))
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/api/users/me", http.NoBody)
	r.Header = header
	w := httptest.NewRecorder()
	return func() { h.ServeHTTP(w, r) }
}

type nothing struct{}

func (nothing) RoundTrip(*http.Request) (*http.Response, error) { return &response, nil }

var response = http.Response{StatusCode: http.StatusOK}

// silent is a handler that is enabled and writes nothing.
type silent struct{}

func (silent) Enabled(context.Context, slog.Level) bool  { return true }
func (silent) Handle(context.Context, slog.Record) error { return nil }
func (s silent) WithAttrs([]slog.Attr) slog.Handler      { return s }
func (s silent) WithGroup(string) slog.Handler           { return s }

// TestTracer_CostsNothingWithoutACollector counts what a request allocates.
func TestTracer_CostsNothingWithoutACollector(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts for the whole process
	off := request(t, begin(t, nil), http.Header{})
	if n := testing.AllocsPerRun(1000, off); n != 0 {
		t.Errorf("a request allocates %v times, want 0", n)
	}
	on := request(t, begin(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector(t)}), http.Header{})
	if n := testing.AllocsPerRun(100, on); n == 0 {
		t.Error("a traced request allocates nothing: is it traced?")
	}
}

// BenchmarkTracer measures what a request costs the tracer.
func BenchmarkTracer(b *testing.B) {
	to := collector(b)
	for _, c := range []struct {
		name   string
		vars   map[string]string
		header http.Header
	}{
		{"off", nil, http.Header{}},
		{"off, with traceparent", nil, http.Header{"Traceparent": {traceparent}}},
		{"not sampled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to, "OTEL_TRACES_SAMPLER": "always_off"}, http.Header{}},
		{"sampled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to}, http.Header{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			send := request(b, begin(b, c.vars), c.header)
			b.ReportAllocs()
			for b.Loop() {
				send()
			}
		})
	}
}

// TestSettings_Target: where traces go, if anywhere.
func TestSettings_Target(t *testing.T) {
	t.Parallel()
	const all, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for _, test := range []struct {
		name string
		vars map[string]string
		want string
	}{
		{"nothing", nil, ""},
		{"a collector", map[string]string{all: "http://collector:4318"}, "http://collector:4318/v1/traces"},
		{"a collector below a path", map[string]string{all: "https://example.org/otlp/"}, "https://example.org/otlp/v1/traces"},
		{"an address for traces", map[string]string{all: "http://collector:4318", traces: "https://example.org/traces"}, "https://example.org/traces"},
		{"a disabled SDK", map[string]string{all: "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, ""},
		{"no exporter", map[string]string{all: "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, ""},
	} {
		var s tracing.Settings
		if err := config.Map(test.vars).Load(&s); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := ""
		if s.URL != nil {
			got = s.URL.String()
		}
		if got != test.want {
			t.Errorf("%s: traces go to %q, want %q", test.name, got, test.want)
		}
	}
}

// TestSettings_Mistakes: a wrong value is reported, and a secret one not shown.
func TestSettings_Mistakes(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":    "collector:4317",
		"OTEL_EXPORTER_OTLP_PROTOCOL":    "grpc",
		"OTEL_EXPORTER_OTLP_HEADERS":     "Bearer 47114711",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": "/does/not/exist.pem",
		"OTEL_EXPORTER_OTLP_TIMEOUT":     "10s",
		"OTEL_RESOURCE_ATTRIBUTES":       "name=%zz",
		"OTEL_TRACES_SAMPLER":            "jaeger_remote",
		"OTEL_TRACES_SAMPLER_ARG":        "110",
	} {
		err := config.Map(map[string]string{name: value}).Load(new(tracing.Settings))
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "47114711") {
			t.Errorf("%s=%s: got the error %v", name, value, err)
		}
	}
}
