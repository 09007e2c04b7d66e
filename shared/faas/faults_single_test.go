package faas_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/voiceassist/gateway/shared/faas"
)

// The faults here have no single response, or appear elsewhere than in status, body and
// Location, which the table of [TestAdapterFaults] compares.

func TestAdapterFault_QueryOrderIsRandom(t *testing.T) {
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
		t.Errorf("the plain adapter always returns %v; is the fault fixed?", theirs)
	}
}

func TestAdapterFault_TrustsAForgedContext(t *testing.T) {
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
		t.Errorf("the plain adapter returns %q, %v, no longer FORGED; is the fault fixed?", resp.Body, err)
	}
	if got := ours(t, event, believed); got != "200 none" {
		t.Errorf("got %q, want no context set by a client", got)
	}
}

func TestAdapterFault_BasePathCutsIntoASegment(t *testing.T) {
	t.Parallel()
	a := httpadapter.NewV2(tell(func(r *http.Request) any { return r.URL.Path }))
	a.StripBasePath("/app")
	resp, err := a.ProxyWithContext(t.Context(), events.APIGatewayV2HTTPRequest{RawPath: "/application"})
	if err != nil || resp.Body != "/lication" {
		t.Errorf("the plain adapter returns %q, %v, no longer /lication; is the fault fixed?", resp.Body, err)
	}
	event := v2(`"rawPath":"/application","requestContext":{"stage":"app","http":{"method":"GET"}}`)
	if got := ours(t, event, tell(func(r *http.Request) any { return r.URL.Path })); got != "200 /application" {
		t.Errorf("got %q, want /application", got)
	}
}

func TestAdapterFault_VariableChangesThePath(t *testing.T) {
	t.Setenv(core.CustomHostVariable, "https://other.example.org/base")
	where := tell(func(r *http.Request) any { return r.Host + r.URL.Path })
	if got := adapter(t, v2(``), where); got != "200 other.example.org/base/" {
		t.Errorf("the plain adapter returns %q; is the fault fixed?", got)
	}
	if got := ours(t, v2(``), where); got != "200 api.example.org/" {
		t.Errorf("got %q, want 200 api.example.org/", got)
	}
}

func TestAdapterFault_LoadBalancerStatusHasNoCode(t *testing.T) {
	t.Parallel()
	h := noisy(http.NotFoundHandler())
	var event events.ALBTargetGroupRequest
	if err := json.Unmarshal([]byte(alb(``)), &event); err != nil {
		t.Fatal(err)
	}
	resp, err := httpadapter.NewALB(h).ProxyWithContext(t.Context(), event)
	if err != nil || resp.StatusDescription != "OK" {
		t.Errorf("the plain adapter returns %q, %v, no longer OK; is the fault fixed?", resp.StatusDescription, err)
	}
	b, err := faas.Handler(h).Invoke(t.Context(), []byte(alb(``)))
	if err != nil || !strings.Contains(string(b), `"statusDescription":"404 Not Found"`) {
		t.Errorf("got %s, %v; want the code before the text", b, err)
	}
}

func TestAdapterFault_FirstWriteDecidesTheContentType(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		h           http.HandlerFunc
		fault, want string
	}{
		"in pieces": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<ht")
			fmt.Fprint(w, "ml>")
		}, "text/plain; charset=utf-8", "text/html; charset=utf-8"},
		"not wanted": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "x")
		}, "text/plain; charset=utf-8", ""},
		"compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			fmt.Fprint(w, "x")
		}, "text/plain; charset=utf-8", ""},
	} {
		var event events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal([]byte(v2(``)), &event); err != nil {
			t.Fatal(err)
		}
		resp, err := httpadapter.NewV2(tt.h).ProxyWithContext(t.Context(), event)
		if got := resp.Headers["Content-Type"]; err != nil || got != tt.fault {
			t.Errorf("%s: the plain adapter returns %q, %v, no longer %q; is the fault fixed?", name, got, err, tt.fault)
		}
		var answer events.APIGatewayV2HTTPResponse
		b, err := faas.Handler(tt.h).Invoke(t.Context(), []byte(v2(``)))
		if err == nil {
			err = json.Unmarshal(b, &answer)
		}
		if got := answer.Headers["Content-Type"]; err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

func TestAdapterFault_CommonAdapterLosesCookies(t *testing.T) {
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
		t.Errorf("the adapter for payload 1.0 returns %v, %v; is the fault fixed?", resp.Headers, err)
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
