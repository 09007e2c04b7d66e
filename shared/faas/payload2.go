package faas

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// isFunctionURL reports whether the domain is that of a Function URL. Its payload looks
// like that of an HTTP API.
func isFunctionURL(domain string) bool { return strings.Contains(domain, ".lambda-url.") }

// readHTTPAPI reads payload 2.0 of an HTTP API, which decodes the path. It escapes the
// path again, or "/a%3Fb" would become the path "/a" with a query.
func readHTTPAPI(e *event) request {
	return readV2(e, escapePath(withoutStage(e.RawPath, e.RequestContext.Stage, e.RouteKey)))
}

// readFunctionURL reads payload 2.0 of a Function URL, which does not decode the path.
func readFunctionURL(e *event) request { return readV2(e, keepPath(e.RawPath)) }

func readV2(e *event, path string) request {
	via := e.RequestContext.HTTP
	q := e.request(via.Method, path, e.RawQuery, via.SourceIP)
	if len(e.Cookies) > 0 {
		// One Cookie header (RFC 6265 section 5.4). SAM's emulation keeps the header in
		// addition to the list, which would send each cookie twice.
		q.MultiValueHeaders["Cookie"] = []string{strings.Join(e.Cookies, "; ")}
	}
	return q
}

// withoutStage returns path without the stage name that an HTTP API prepends. If the first
// segment of the route equals the stage name, a single occurrence belongs to the route.
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

// cutSegment is [strings.CutPrefix] for whole segments: "/app" is not a prefix of
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
