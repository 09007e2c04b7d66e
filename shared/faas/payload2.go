package faas

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// isFunctionURL reports whether a domain is that of a Function URL, whose
// payload looks like that of an HTTP API.
func isFunctionURL(domain string) bool { return strings.Contains(domain, ".lambda-url.") }

// readHTTPAPI reads payload 2.0 of an HTTP API, which decodes the path: sent on
// as it is, "/a%3Fb" would turn into the path "/a" with a query.
func readHTTPAPI(e *event) request {
	return readV2(e, escapePath(withoutStage(e.RawPath, e.RequestContext.Stage, e.RouteKey)))
}

// readFunctionURL reads payload 2.0 of a Function URL, which leaves the path
// as it was sent.
func readFunctionURL(e *event) request { return readV2(e, keepPath(e.RawPath)) }

func readV2(e *event, path string) request {
	via := e.RequestContext.HTTP
	q := e.request(via.Method, path, e.RawQuery, via.SourceIP)
	if len(e.Cookies) > 0 {
		// One Cookie header (RFC 6265 section 5.4). The emulation of SAM leaves
		// the header in place beside the list, which would send each one twice.
		q.MultiValueHeaders["Cookie"] = []string{strings.Join(e.Cookies, "; ")}
	}
	return q
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

func gatherV2(_ request, answer func(http.ResponseWriter)) (any, error) {
	w := core.NewProxyResponseWriterV2()
	answer(w)
	return w.GetProxyResponse()
}
