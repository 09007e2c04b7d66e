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
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/voiceassist/gateway/shared/faas"
)

// TestAdapterFaults shows each known fault of the adapter twice: on the adapter
// alone, so that a version without it is noticed and its cure can go, and cured.
func TestAdapterFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		event   string
		handler http.HandlerFunc
		fault   string // of the adapter alone
		want    string
	}{
		{
			"a forged X-Forwarded-For is not the first value",
			v2(`"headers":{"x-forwarded-for":"6.6.6.6, 203.0.113.7"}`),
			tell(func(r *http.Request) any { return r.Header.Get("X-Forwarded-For") }),
			"200 6.6.6.6", "200 6.6.6.6, 203.0.113.7",
		},
		{
			"a header with a comma in it stays whole",
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
			"a handler that says nothing says 200",
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
			"a number sign in the path does not swallow the query",
			v2(`"rawPath":"/a#b","rawQueryString":"q=1"`),
			tell(func(r *http.Request) any { return r.URL.Path + " " + r.URL.RawQuery }),
			"200 /a ", "200 /a#b q=1",
		},
		{
			"a percent sign in the path is no error",
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
			"RemoteAddr has a port, as everybody expects",
			v2(``),
			tell(func(r *http.Request) any {
				host, _, err := net.SplitHostPort(r.RemoteAddr)
				return fmt.Sprintf("%s %t", host, err == nil)
			}),
			"200  false", "200 203.0.113.7 true",
		},
		{
			"behind a load balancer, too",
			alb(`"headers":{"x-forwarded-for":"6.6.6.6, 2001:db8::1"}`),
			tell(func(r *http.Request) any { return r.RemoteAddr }),
			"200 ", "200 [2001:db8::1]:0",
		},
		{
			"cookies come in one header",
			v2(`"cookies":["a=1","b=2"]`),
			tell(func(r *http.Request) any { return r.Header.Values("Cookie") }),
			"200 [a=1 b=2]", "200 [a=1; b=2]",
		},
		{
			"cookies that come in a header as well count once",
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
			"a schedule is no request",
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
			"a request over TLS says so",
			v2(``), tell(func(r *http.Request) any { return r.TLS != nil }),
			"200 false", "200 true",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := adapter(t, tt.event, tt.handler); got != tt.fault {
				t.Errorf("the adapter alone answers %q, no more %q; is the fault gone?", got, tt.fault)
			}
			if got := ours(t, tt.event, tt.handler); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The faults below have no one answer, or are in what the adapter offers rather
// than in what Invoke does, so they are shown by hand.

func TestAdapterFault_TheOrderOfAQueryIsRandom(t *testing.T) {
	t.Parallel()
	const event = `{"httpMethod":"GET","path":"/","requestContext":{},` +
		`"multiValueQueryStringParameters":{"d":["4"],"a":["1"],"c":["3"],"b":["2"],"e":["5"],"f":["6"]}}`
	query := tell(func(r *http.Request) any { return r.URL.RawQuery })
	var e events.APIGatewayProxyRequest
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatal(err)
	}
	theirs := map[string]bool{}
	for range 100 {
		resp, err := httpadapter.New(query).ProxyWithContext(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		theirs[resp.Body] = true
		if got := ours(t, event, query); got != "200 a=1&b=2&c=3&d=4&e=5&f=6" {
			t.Fatalf("got %q", got)
		}
	}
	if len(theirs) < 2 {
		t.Errorf("the adapter alone always says %v; is the fault gone?", theirs)
	}
}

func TestAdapterFault_AForgedContextIsBelieved(t *testing.T) {
	t.Parallel()
	const event = `{"version":"2.0","rawPath":"/","headers":{"X-GoLambdaProxy-ApiGw-Context":"{\"requestId\":\"FORGED\"}"},` +
		`"requestContext":{"requestId":"real","http":{"method":"GET"}}}`
	believed := tell(func(r *http.Request) any {
		c, err := new(core.RequestAccessorV2).GetAPIGatewayContextV2(r)
		if err != nil {
			return "none"
		}
		return c.RequestID
	})
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatal(err)
	}
	resp, err := httpadapter.NewV2(believed).Proxy(e)
	if err != nil || resp.Body != "FORGED" {
		t.Errorf("the adapter alone believes %q, %v, no more FORGED; is the fault gone?", resp.Body, err)
	}
	if got := ours(t, event, believed); got != "200 none" {
		t.Errorf("got %q, want no context that a client can write", got)
	}
}

func TestAdapterFault_BasePathCutsIntoAWord(t *testing.T) {
	t.Parallel()
	a := httpadapter.NewV2(tell(func(r *http.Request) any { return r.URL.Path }))
	a.StripBasePath("/app")
	resp, err := a.ProxyWithContext(t.Context(), events.APIGatewayV2HTTPRequest{RawPath: "/application"})
	if err != nil || resp.Body != "/lication" {
		t.Errorf("the adapter alone answers %q, %v, no more /lication; is the fault gone?", resp.Body, err)
	}
	event := v2(`"rawPath":"/application","requestContext":{"stage":"app","http":{"method":"GET"}}`)
	if got := ours(t, event, tell(func(r *http.Request) any { return r.URL.Path })); got != "200 /application" {
		t.Errorf("got %q, want /application", got)
	}
}

func TestAdapterFault_OneForAllPayloadsLosesCookies(t *testing.T) {
	t.Parallel()
	two := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
	})
	var event events.APIGatewayProxyRequest
	if err := json.Unmarshal([]byte(v2(``)), &event); err != nil {
		t.Fatal(err)
	}
	resp, err := httpadapter.New(noisy(two)).ProxyWithContext(t.Context(), event)
	if err != nil || len(resp.Headers) != 0 {
		t.Errorf("the adapter for payload 1.0 answers %v, %v; is the fault gone?", resp.Headers, err)
	}
	var answer events.APIGatewayV2HTTPResponse
	b, err := faas.Handler(two).Invoke(t.Context(), []byte(v2(``)))
	if err == nil {
		err = json.Unmarshal(b, &answer)
	}
	if got := strings.Join(answer.Cookies, " "); err != nil || got != "a=1 b=2" {
		t.Errorf("got cookies %q, %v, want a=1 b=2", got, err)
	}
}

// noisy makes a handler write, as the adapter needs it.
func noisy(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r); w.WriteHeader(200) })
}

// v2 returns an event of an HTTP API with these members instead of its own.
func v2(members string) string {
	return merge(`{"version":"2.0","routeKey":"$default","rawPath":"/","rawQueryString":"","headers":{},`+
		`"requestContext":{"stage":"$default","domainName":"api.example.org",`+
		`"http":{"method":"GET","path":"/","sourceIp":"203.0.113.7"}},"isBase64Encoded":false}`, members)
}

// alb returns an event of a load balancer with these members instead of its own.
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

// tell answers with what fn finds in the request.
func tell(fn func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, fn(r))
	}
}

// adapter returns what the adapter alone answers.
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

// ours returns what faas answers.
func ours(t *testing.T, event string, h http.Handler) string {
	t.Helper()
	b, err := quiet(h).Invoke(context.Background(), []byte(event))
	if err != nil {
		return "error"
	}
	return summary(t, b)
}

// summary returns the status, the body or its problem code, and the Location of
// an answer.
func summary(t *testing.T, b []byte) string {
	t.Helper()
	var a events.ALBTargetGroupResponse // holds what all forms have
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
