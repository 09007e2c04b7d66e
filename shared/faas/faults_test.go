package faas_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

// TestAdapterFaults shows each known fault of the adapter twice: in the plain adapter, so that
// the test detects a version that fixes it, and in faas, which avoids it.
func TestAdapterFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		event   string
		handler http.HandlerFunc
		fault   string // result of the plain adapter
		want    string
	}{
		{
			"a forged X-Forwarded-For is not the first value",
			v2(`"headers":{"x-forwarded-for":"6.6.6.6, 203.0.113.7"}`),
			tell(func(r *http.Request) any { return r.Header.Get("X-Forwarded-For") }),
			"200 6.6.6.6", "200 6.6.6.6, 203.0.113.7",
		},
		{
			"a header with a comma stays whole",
			v2(`"headers":{"if-range":"Wed, 21 Oct 2015 07:28:00 GMT"}`),
			tell(func(r *http.Request) any { return r.Header.Get("If-Range") }),
			"200 Wed", "200 Wed, 21 Oct 2015 07:28:00 GMT",
		},
		{
			"a client cannot send the adapter's own headers",
			v2(`"headers":{"x-golambdaproxy-apigw-context":"FORGED"}`),
			tell(func(r *http.Request) any { return r.Header.Get("X-GoLambdaProxy-ApiGw-Context") }),
			"200 FORGED", "200 ",
		},
		{
			"the first status wins",
			v2(``),
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401); w.WriteHeader(200) },
			"200 ", "401 ",
		},
		{
			"an informational status is not the answer",
			v2(``),
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103) },
			"103 ", "200 ",
		},
		{
			"headers set after the status are not sent",
			v2(``),
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.Header().Set("Location", "/late") },
			"200  Location=/late", "200 ",
		},
		{
			"a handler that writes nothing sends 200",
			v2(``), func(http.ResponseWriter, *http.Request) {},
			"error", "200 ",
		},
		{
			"a panic is a 500",
			v2(``), func(http.ResponseWriter, *http.Request) { panic("boom") },
			"panic", "500 internal_error",
		},
		{
			"a question mark in the path does not begin a query",
			v2(`"rawPath":"/files/a?admin=1","rawQueryString":"q=1"`),
			tell(func(r *http.Request) any { return r.URL.Path + " " + r.URL.RawQuery }),
			"200 /files/a admin=1?q=1", "200 /files/a?admin=1 q=1",
		},
		{
			"a number sign in the path does not hide the query",
			v2(`"rawPath":"/a#b","rawQueryString":"q=1"`),
			tell(func(r *http.Request) any { return r.URL.Path + " " + r.URL.RawQuery }),
			"200 /a ", "200 /a#b q=1",
		},
		{
			"a number sign in the query does not end it",
			v2(`"rawQueryString":"q=1#2"`),
			tell(func(r *http.Request) any { return r.URL.Query().Get("q") }),
			"200 1", "200 1#2",
		},
		{
			"a percent sign in the path is not an error",
			v2(`"rawPath":"/100%"`),
			tell(func(r *http.Request) any { return r.URL.Path }),
			"error", "200 /100%",
		},
		{
			"a broken body is the client's error",
			v2(`"body":"***","isBase64Encoded":true`), http.NotFound,
			"error", "400 malformed_request",
		},
		{
			"RemoteAddr has a port",
			v2(``),
			tell(func(r *http.Request) any {
				host, _, err := net.SplitHostPort(r.RemoteAddr)
				return fmt.Sprintf("%s %t", host, err == nil)
			}),
			"200  false", "200 203.0.113.7 true",
		},
		{
			"RemoteAddr has a port behind a load balancer",
			alb(`"headers":{"x-forwarded-for":"6.6.6.6, 2001:db8::1"}`),
			tell(func(r *http.Request) any { return r.RemoteAddr }),
			"200 ", "200 [2001:db8::1]:0",
		},
		{
			"cookies arrive in one header",
			v2(`"cookies":["a=1","b=2"]`),
			tell(func(r *http.Request) any { return r.Header.Values("Cookie") }),
			"200 [a=1 b=2]", "200 [a=1; b=2]",
		},
		{
			"cookies that are also in a header count once",
			v2(`"cookies":["a=1","b=2"],"headers":{"Cookie":"a=1; b=2"}`),
			tell(func(r *http.Request) any { return len(r.Cookies()) }),
			"200 4", "200 2",
		},
		{
			"a load balancer without lists gets its headers",
			alb(``),
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", "/x"); w.WriteHeader(303) },
			"303 ", "303  Location=/x",
		},
		{
			"a load balancer's query is not escaped twice",
			alb(`"queryStringParameters":{"q":"a%20b"}`),
			tell(func(r *http.Request) any { return r.URL.Query().Get("q") }),
			"200 a%20b", "200 a b",
		},
		{
			"a load balancer with lists has a Host",
			alb(`"headers":null,"multiValueHeaders":{"host":["api.example.org"]}`),
			tell(func(r *http.Request) any { return r.Host }),
			"200 ", "200 api.example.org",
		},
		{
			"a schedule is not a request",
			`{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`,
			tell(func(r *http.Request) any { return r.Method + r.URL.Path }),
			"200 GET/", "error",
		},
		{
			"a flush does not fail",
			v2(``),
			func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, http.NewResponseController(w).Flush()) },
			"200 feature not supported", "200 <nil>",
		},
		{
			"a request over TLS has r.TLS set",
			v2(``), tell(func(r *http.Request) any { return r.TLS != nil }),
			"200 false", "200 true",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := adapter(t, tt.event, tt.handler); got != tt.fault {
				t.Errorf("the plain adapter returns %q, no longer %q; is the fault fixed?", got, tt.fault)
			}
			if got := ours(t, tt.event, tt.handler); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// noisy makes a handler write, because the adapter requires it.
func noisy(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r); w.WriteHeader(200) })
}

// v2 returns an event of an HTTP API with these members replaced.
func v2(members string) string {
	return merge(`{"version":"2.0","routeKey":"$default","rawPath":"/","rawQueryString":"","headers":{},`+
		`"requestContext":{"stage":"$default","domainName":"api.example.org",`+
		`"http":{"method":"GET","path":"/","sourceIp":"203.0.113.7"}},"isBase64Encoded":false}`, members)
}

// alb returns an event of a load balancer with these members replaced.
func alb(members string) string {
	return merge(`{"httpMethod":"GET","path":"/","headers":{"host":"api.example.org"},`+
		`"requestContext":{"elb":{"targetGroupArn":"arn"}},"body":"","isBase64Encoded":false}`, members)
}

func merge(event, members string) string {
	m := map[string]any{}
	for _, text := range []string{event, "{" + members + "}"} {
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			panic(err)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// tell returns a handler that responds with the result of fn.
func tell(fn func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, fn(r))
	}
}

// adapter returns the response of the plain adapter.
func adapter(t *testing.T, event string, h http.Handler) (got string) {
	t.Helper()
	defer func() {
		if recover() != nil {
			got = "panic"
		}
	}()
	var err error
	var resp any
	if strings.Contains(event, `"elb"`) {
		var e events.ALBTargetGroupRequest
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			t.Fatal(err)
		}
		resp, err = httpadapter.NewALB(h).ProxyWithContext(t.Context(), e)
	} else {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			t.Fatal(err)
		}
		resp, err = httpadapter.NewV2(h).ProxyWithContext(t.Context(), e)
	}
	if err != nil {
		return "error"
	}
	b, err := json.Marshal(resp)
	if err != nil {
		t.Fatal(err)
	}
	return summary(t, b)
}

// ours returns the response of faas.
func ours(t *testing.T, event string, h http.Handler) string {
	t.Helper()
	b, err := quiet(h).Invoke(context.Background(), []byte(event))
	if err != nil {
		return "error"
	}
	return summary(t, b)
}

// summary returns the status, the body or its problem code, and the Location of a response.
func summary(t *testing.T, b []byte) string {
	t.Helper()
	var a events.ALBTargetGroupResponse // has the members that all formats share
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("answer %s: %v", b, err)
	}
	var p struct{ Code string }
	if json.Unmarshal([]byte(a.Body), &p) == nil && p.Code != "" {
		a.Body = p.Code
	}
	s := fmt.Sprintf("%d %s", a.StatusCode, a.Body)
	if l := a.Headers["Location"]; l != "" {
		s += " Location=" + l
	}
	return s
}
