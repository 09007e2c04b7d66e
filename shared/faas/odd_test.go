package faas_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/voiceassist/gateway/shared/faas"
)

// rest returns an event of a REST API with these members replaced.
func rest(members string) string {
	return merge(`{"httpMethod":"GET","path":"/","headers":{},"requestContext":{"domainName":"api.example.org",`+
		`"identity":{"sourceIp":"203.0.113.7"}}}`, members)
}

func TestRequests_UnusualEventsAreServed(t *testing.T) {
	t.Parallel()
	line := tell(func(r *http.Request) any { return fmt.Sprintf("%s %q %s", r.Method, r.URL.Path, r.RequestURI) })
	url := func(path string) string {
		return v2(`"rawPath":"` + path + `","requestContext":{"domainName":"x.lambda-url.eu.on.aws","http":{"method":"GET"}}`)
	}
	tests := []struct{ name, event, want string }{
		{"a method in lower case is another method", v2(`"requestContext":{"http":{"method":"get"}}`), `get "/" /`},
		{"an empty path is the root", v2(`"rawPath":""`), `GET "/" /`},
		{"a path without a slash", v2(`"rawPath":"a"`), `GET "/a" /a`},
		{"a Function URL that decoded a path", url("/a b%"), `GET "/a b%" /a%20b%25`},
		{"a Function URL with a query in the path", url("/a?b#c"), `GET "/a?b#c" /a%3Fb%23c`},
		{"a Function URL that did not decode a path", url("/a%20b%25"), `GET "/a b%" /a%20b%25`},
		{"a REST API that decoded a path", rest(`"path":"/ä?"`), `GET "/ä?" /%C3%A4%3F`},
		{"a REST API with single values only", rest(`"queryStringParameters":{"b":"2 3","a":"1"}`), `GET "/" /?a=1&b=2+3`},
		{"a load balancer that decoded a query", alb(`"queryStringParameters":{"q":"a b&c#%"}`), `GET "/" /?q=a+b%26c%23%25`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ours(t, tt.event, line); got != "200 "+tt.want {
				t.Errorf("got %s, want 200 %s", got, tt.want)
			}
		})
	}
}

func TestRequests_MergeBothHeaderFormats(t *testing.T) {
	t.Parallel()
	event := rest(`"headers":{"accept":"last","Only":"single"},"multiValueHeaders":{"Accept":["first","last"],"ACCEPT":["other"]}`)
	got := ours(t, event, tell(func(r *http.Request) any { return fmt.Sprint(r.Header["Accept"], r.Header["Only"]) }))
	if want := "200 [other first last] [single]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRequests_AddressesAreValidOrEmpty(t *testing.T) {
	t.Parallel()
	remote := tell(func(r *http.Request) any { return r.RemoteAddr })
	tests := []struct{ name, event, want string }{
		{"none", alb(``), "0.0.0.0:0"},
		{"an invalid address", v2(`"requestContext":{"http":{"method":"GET","sourceIp":"test-invoke-source-ip"}}`), "0.0.0.0:0"},
		{"an address with a port", alb(`"headers":{"x-forwarded-for":"203.0.113.7:4711"}`), "203.0.113.7:4711"},
		{"IPv6", rest(`"requestContext":{"identity":{"sourceIp":"2001:db8::1"}}`), "[2001:db8::1]:0"},
		{"several lines: the last address", alb(`"multiValueHeaders":{"x-forwarded-for":["6.6.6.6","7.7.7.7,203.0.113.7"]}`), "203.0.113.7:0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ours(t, tt.event, remote); got != "200 "+tt.want {
				t.Errorf("got %s, want 200 %s", got, tt.want)
			}
		})
	}
}

func TestRequests_LoadBalancerReportsTLS(t *testing.T) {
	t.Parallel()
	secure := tell(func(r *http.Request) any {
		if r.TLS == nil {
			return "plain"
		}
		return r.TLS.ServerName
	})
	for proto, want := range map[string]string{"http": "200 plain", "https": "200 api.example.org"} {
		event := alb(`"headers":{"host":"api.example.org:8443","x-forwarded-proto":"` + proto + `"}`)
		if got := ours(t, event, secure); got != want {
			t.Errorf("%s: got %q, want %q", proto, got, want)
		}
	}
}

func TestResponses_ContainNothingThatAFrontRejects(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade", "Bad Name", ""} {
			w.Header()[name] = []string{"x"}
		}
		w.Header()["Nothing"] = nil
		w.WriteHeader(7)
	})
	b, err := faas.Handler(h).Invoke(t.Context(), []byte(v2(``)))
	want := `{"statusCode":500,"headers":{"Content-Length":"0"},"multiValueHeaders":null,"body":"","cookies":[]}`
	if err != nil || string(b) != want {
		t.Errorf("got  %s, %v\nwant %s", b, err, want)
	}
}

func TestResponses_ToHEADHaveNoBody(t *testing.T) {
	t.Parallel()
	event := v2(`"requestContext":{"http":{"method":"HEAD"}}`)
	if got := ours(t, event, tell(func(*http.Request) any { return "body" })); got != "200 " {
		t.Errorf("got %q, want no body", got)
	}
}

func TestProblems_MatchThoseOfTheHandler(t *testing.T) {
	t.Parallel()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
	event := v2(`"rawPath":"/a b","headers":{"x-correlation-id":"bad id"},"body":"%","isBase64Encoded":true`)
	b, err := quiet(http.NotFoundHandler()).Invoke(ctx, []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"statusCode":400`, `"Content-Type":"application/problem+json"`, `"Cache-Control":"no-store"`,
		`"X-Content-Type-Options":"nosniff"`, `"X-Correlation-Id":"req-1"`,
		`{\"type\":\"urn:voiceassist:problem:malformed_request\",\"title\":\"Bad Request\",\"status\":400,` +
			`\"detail\":\"The request is malformed.\",\"instance\":\"/a%20b\",` +
			`\"code\":\"malformed_request\",\"correlation_id\":\"req-1\"}`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the response lacks %s:\n%s", want, b)
		}
	}
}

func TestFunction_RejectsRecordsOfOtherServices(t *testing.T) {
	t.Parallel()
	f := job(func(context.Context, faas.Event) error { return nil })
	event := strings.Replace(queue("a"), "aws:sqs", "aws:kinesis", 1)
	if b, err := f.Invoke(t.Context(), []byte(event)); err == nil {
		t.Errorf("Invoke = %s, want a rejection", b)
	}
}

// onceBroken is a log handler that panics at its first record.
type onceBroken struct {
	slog.Handler

	broken *bool
}

func (h onceBroken) Handle(ctx context.Context, r slog.Record) error {
	if !*h.broken {
		*h.broken = true
		panic("disk full")
	}
	return h.Handler.Handle(ctx, r)
}

func TestFunction_PanicOutsideTheHandlerFailsOneInvocation(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f := faas.Function{
		Job: func(context.Context, faas.Event) error { return errors.New("no") },
		Log: slog.New(onceBroken{slog.NewTextHandler(&log, nil), new(bool)}),
	}
	if b, err := f.Invoke(t.Context(), []byte(schedule)); err == nil || b != nil {
		t.Errorf("Invoke = %s, %v; want an error", b, err)
	}
	if !strings.Contains(log.String(), "disk full") {
		t.Errorf("the panic is not logged: %s", log.String())
	}
}
