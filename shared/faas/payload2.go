package faas

import (
	"cmp"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// isFunctionURL reports whether a domain is that of a Function URL, whose
// payload looks like that of an HTTP API.
func isFunctionURL(domain string) bool { return strings.Contains(domain, ".lambda-url.") }

// readHTTPAPI reads payload 2.0 of an HTTP API, which decodes the path: sent on
// as it is, "/a%3Fb" would turn into the path "/a" with a query.
func readHTTPAPI(e *event) request {
	q := readV2(e)
	q.path = escapePath(withoutStage(e.RawPath, e.RequestContext.Stage, e.RouteKey))
	return q
}

// readFunctionURL reads payload 2.0 of a Function URL, which leaves the path
// as it was sent.
func readFunctionURL(e *event) request {
	q := readV2(e)
	q.path = keepPath(e.RawPath)
	return q
}

func readV2(e *event) request {
	h := headers(e.Headers, nil)
	if len(e.Cookies) > 0 {
		// One Cookie header (RFC 6265 section 5.4). The emulation of SAM leaves
		// the header in place beside the list, which would send each one twice.
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return request{
		method: e.RequestContext.HTTP.Method,
		query:  e.RawQuery,
		host:   cmp.Or(h.Get("Host"), e.RequestContext.DomainName),
		remote: e.RequestContext.HTTP.SourceIP,
		secure: true, // neither front speaks anything else
		header: h, body: e.Body, base64: e.IsBase64Encoded,
	}
}

// withoutStage returns path without the name of the stage that an HTTP API puts
// in front of it. Where the stage bears the name of the route's own first
// segment, a single one of them belongs to the route.
func withoutStage(path, stage, routeKey string) string {
	if stage == "" || stage == "$default" {
		return path
	}
	rest, ok := cutSegment(path, "/"+stage)
	if !ok {
		return path
	}
	_, route, _ := strings.Cut(routeKey, " ")
	if _, own := cutSegment(route, "/"+stage); own {
		if _, twice := cutSegment(rest, "/"+stage); !twice {
			return path
		}
	}
	return cmp.Or(rest, "/")
}

// cutSegment is [strings.CutPrefix] for whole segments: "/app" is no prefix of
// "/application".
func cutSegment(path, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, prefix)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// writeV2 joins the lines of one header by commas, and lists cookies, which
// cannot be joined.
func writeV2(_ request, a answer) any {
	out := events.APIGatewayV2HTTPResponse{
		StatusCode: a.status, Headers: make(map[string]string, len(a.header)),
		Body: a.body, IsBase64Encoded: a.base64, Cookies: append([]string{}, a.header["Set-Cookie"]...),
	}
	for name, lines := range a.header {
		if name != "Set-Cookie" {
			out.Headers[name] = strings.Join(lines, ",")
		}
	}
	return out
}
