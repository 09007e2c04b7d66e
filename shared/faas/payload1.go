package faas

import (
	"cmp"
	"net/url"
)

// readREST reads payload 1.0 of a REST API. Its query is decoded, and its path
// has no stage in front.
func readREST(e *event) request {
	h := headers(e.Headers, e.MultiHeaders)
	return request{
		method: e.HTTPMethod,
		path:   keepPath(e.Path),
		query:  decodedQuery(e.Query, e.MultiQuery),
		host:   cmp.Or(h.Get("Host"), e.RequestContext.DomainName),
		remote: e.RequestContext.Identity.SourceIP,
		secure: true,
		header: h, body: e.Body, base64: e.IsBase64Encoded,
	}
}

// decodedQuery returns the query again, sorted by key: its order was lost.
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

// restAnswer is payload 1.0 of an answer; a header may have several lines.
type restAnswer struct {
	StatusCode        int                 `json:"statusCode"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

func writeREST(_ request, a answer) any {
	return restAnswer{a.status, a.header, a.body, a.base64}
}
