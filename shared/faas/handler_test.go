package faas_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/voiceassist/gateway/shared/faas"
)

// quiet returns the handler of h without a log.
func quiet(h http.Handler) lambda.Handler {
	return faas.Function{HTTP: h, Log: slog.New(slog.DiscardHandler)}
}

func TestFunction_RejectsUnsupportedEvents(t *testing.T) {
	t.Parallel()
	h := faas.Handler(http.NotFoundHandler())
	tests := []struct{ name, event string }{
		{"nothing", ``},
		{"no object", `"v2"`},
		{"an empty object", `{}`},
		{"a schedule, to a function without a job", schedule},
		{"a queue, to a function without a job", queue("one")},
		{"an event of another service", `{"source":"aws.s3","detail-type":"Object Created","detail":{}}`},
		{"a WebSocket message", `{"requestContext":{"connectionId":"x","eventType":"MESSAGE"},"body":"{}"}`},
		{"an authorizer event, payload 1.0", `{"type":"REQUEST","methodArn":"arn","httpMethod":"GET","path":"/"}`},
		{"an authorizer event, payload 2.0", `{"type":"REQUEST","routeArn":"arn","requestContext":{"http":{"method":"GET"}}}`},
		{"a request with a field of the wrong type", v2(`"headers":[1]`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := h.Invoke(t.Context(), []byte(tt.event))
			if err == nil || !strings.Contains(err.Error(), "kind") && !strings.Contains(err.Error(), "decode") {
				t.Errorf("Invoke = %s, %v; want a rejection", b, err)
			}
		})
	}
}

func TestFunction_ClientInputDoesNotChangeTheEventKind(t *testing.T) {
	t.Parallel()
	event := v2(`"headers":{"detail-type":"Scheduled Event","Records":"aws:sqs","methodArn":"x"},` +
		`"body":"{\"detail-type\":\"Scheduled Event\"}"`)
	if got := ours(t, event, tell(func(r *http.Request) any { return r.Method })); got != "200 GET" {
		t.Errorf("got %q, want the request served", got)
	}
}

func TestFunction_MalformedRequestsAreClientErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, event string }{
		{"an invalid method", v2(`"requestContext":{"http":{"method":"GE T"}}`)},
		{"no method", v2(`"requestContext":{"http":{"method":""}}`)},
		{"a body that is not base64", v2(`"body":"%","isBase64Encoded":true`)},
		{"a query with a control character", v2(`"rawQueryString":"a=\u0001"`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ours(t, tt.event, tell(func(*http.Request) any { return "" })); got != "400 malformed_request" {
				t.Errorf("got %q, want 400 malformed_request", got)
			}
		})
	}
}

func TestFunction_RecoversFromAPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	calls := 0
	f := faas.Function{
		Log: slog.New(slog.NewJSONHandler(&log, nil)),
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			if calls == 1 {
				w.Header().Set("X-Half", "done")
				w.WriteHeader(http.StatusCreated)
				w.Write([]byte("half an answer"))
				panic("the secret of the house")
			}
			w.Write([]byte("fine"))
		}),
	}
	event := v2(`"headers":{"x-correlation-id":"abc-1"},"rawPath":"/p"`)
	b, err := f.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	if got := summary(t, b); got != "500 internal_error" {
		t.Errorf("got %q, want 500 internal_error", got)
	}
	for _, never := range []string{"secret", "half", "X-Half", "goroutine"} {
		if bytes.Contains(b, []byte(never)) {
			t.Errorf("the response contains %q: %s", never, b)
		}
	}
	for _, want := range []string{`\"instance\":\"/p\"`, `\"correlation_id\":\"abc-1\"`, `"X-Correlation-Id":"abc-1"`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the response lacks %s: %s", want, b)
		}
	}
	if !strings.Contains(log.String(), "the secret of the house") || !strings.Contains(log.String(), "handler_test.go") {
		t.Errorf("the log lacks the panic or its stack: %s", log.String())
	}
	if b, err = f.Invoke(t.Context(), []byte(event)); err != nil || summary(t, b) != "200 fine" {
		t.Errorf("the next invocation = %s, %v; want 200 fine", b, err)
	}
}

func TestFunction_AbortedResponseIs500WithoutALogLine(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := faas.Function{
		Log:  slog.New(slog.NewJSONHandler(&log, nil)),
		HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	}
	b, err := f.Invoke(t.Context(), []byte(v2(``)))
	if err != nil || summary(t, b) != "500 internal_error" || log.Len() != 0 {
		t.Errorf("Invoke = %s, %v, log %q; want a quiet 500", b, err, log.String())
	}
}

func TestFunction_OversizedResponseIs500(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("x"), 1<<20)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for range 7 {
			w.Write(big)
		}
	})
	if got := ours(t, v2(``), h); got != "500 internal_error" {
		t.Errorf("7 MiB through an HTTP API = %.40q, want a 500", got)
	}
	one := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(big) })
	if got := ours(t, v2(``), one); !strings.HasPrefix(got, "200 xxx") {
		t.Errorf("1 MiB through an HTTP API = %.40q, want 200", got)
	}
	if got := ours(t, alb(``), one); got != "500 internal_error" {
		t.Errorf("1 MiB through a load balancer = %.40q, want a 500", got)
	}
}

func TestFunction_ContextEndsBeforeTheDeadlineAndWithTheRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		left, margin time.Duration
	}{
		{"plenty of time", 10 * time.Second, faas.Margin},
		{"little time", 600 * time.Millisecond, 300 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				deadline := time.Now().Add(tt.left)
				ctx, cancel := context.WithDeadline(t.Context(), deadline)
				defer cancel()
				var inner context.Context
				h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inner = r.Context() })
				if _, err := faas.Handler(h).Invoke(ctx, []byte(v2(``))); err != nil {
					t.Fatal(err)
				}
				if got, ok := inner.Deadline(); !ok || deadline.Sub(got) != tt.margin {
					t.Errorf("the context ends %v before Lambda's deadline, want %v", deadline.Sub(got), tt.margin)
				}
				if inner.Err() == nil {
					t.Error("the context outlives the request")
				}
			})
		})
	}
}

func TestFunction_PassesInvocationIDsToTheHandler(t *testing.T) {
	t.Parallel()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
	ctx = context.WithValue(ctx, "x-amzn-trace-id", "Root=1-2-3;Sampled=1") //nolint:staticcheck // the key of the runtime library
	h := tell(func(r *http.Request) any {
		lc, _ := lambdacontext.FromContext(r.Context())
		return lc.AwsRequestID + " " + r.Header.Get("X-Amzn-Trace-Id")
	})
	b, err := faas.Handler(h).Invoke(ctx, []byte(v2(`"headers":{"x-amzn-trace-id":"Root=forged"}`)))
	if err != nil || summary(t, b) != "200 req-1 Root=1-2-3;Sampled=1" {
		t.Errorf("got %s, %v; want the IDs of the runtime", b, err)
	}
	b, err = faas.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).
		Invoke(ctx, []byte(v2(``)))
	if err != nil || !bytes.Contains(b, []byte(`"X-Correlation-Id":"req-1"`)) {
		t.Errorf("got %s, %v; want the request ID as the correlation ID", b, err)
	}
}

func TestFunction_StripsTheStageFromThePath(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, path, stage, route, want string }{
		{"the default stage has no prefix", "/api/x", "$default", "$default", "/api/x"},
		{"a named stage is removed", "/prod/api/x", "prod", "$default", "/api/x"},
		{"a stage is removed only once", "/prod/prod/x", "prod", "$default", "/prod/x"},
		{"a stage alone leaves the root", "/prod", "prod", "$default", "/"},
		{"only whole segments are removed", "/production", "prod", "$default", "/production"},
		{"a custom domain has no stage in the path", "/api/x", "prod", "GET /api/{id}", "/api/x"},
		{"a stage with the name of the route's first segment", "/api/x", "api", "GET /api/{id}", "/api/x"},
		{"a stage before a route of the same name", "/api/api/x", "api", "GET /api/{id}", "/api/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			event := v2(`"rawPath":"` + tt.path + `","routeKey":"` + tt.route +
				`","requestContext":{"stage":"` + tt.stage + `","http":{"method":"GET"}}`)
			if got := ours(t, event, tell(func(r *http.Request) any { return r.URL.Path })); got != "200 "+tt.want {
				t.Errorf("%s on stage %s = %q, want %q", tt.path, tt.stage, got, tt.want)
			}
		})
	}
}
