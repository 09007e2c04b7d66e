package faas

import (
	"net/http"
	"net/url"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// readREST reads payload 1.0 of a REST API, which decodes the query and leaves the stage
// out of the path.
func readREST(e *event) request {
	query := decodedQuery(e.Query, e.MultiQuery)
	return e.request(e.HTTPMethod, keepPath(e.Path), query, e.RequestContext.Identity.SourceIP)
}

// decodedQuery encodes the query again, sorted by key because its original order is lost.
func decodedQuery(single map[string]string, multi map[string][]string) string {
	if len(multi) > 0 {
		return url.Values(multi).Encode()
	}
	values := make(url.Values, len(single))
	for key, value := range single {
		values.Set(key, value)
	}
	return values.Encode()
}

func gatherREST(_ request, answer func(http.ResponseWriter)) (any, error) {
	w := core.NewProxyResponseWriter()
	answer(w)
	return w.GetProxyResponse()
}
