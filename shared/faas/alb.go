package faas

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// readALB reads the event of a load balancer, which leaves path and query
// escaped as they were sent.
func readALB(e *event) request {
	h := headers(e.Headers, e.MultiHeaders)
	return request{
		method: e.HTTPMethod,
		path:   keepPath(e.Path),
		query:  escapedQuery(e.Query, e.MultiQuery),
		host:   h.Get("Host"),
		remote: lastHop(h),
		secure: h.Get("X-Forwarded-Proto") == "https",
		header: h, body: e.Body, base64: e.IsBase64Encoded,
		multiValue: e.MultiHeaders != nil,
	}
}

// lastHop returns the address that the load balancer itself appended to
// X-Forwarded-For; a load balancer's event has no other. Its attribute
// routing.http.xff_header_processing.mode must be "append", the default.
func lastHop(h http.Header) string {
	hops := h.Values("X-Forwarded-For")
	if len(hops) == 0 {
		return ""
	}
	last := hops[len(hops)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// escapedQuery returns the query from parts that are escaped already, sorted
// by key: its order was lost.
func escapedQuery(single map[string]string, multi map[string][]string) string {
	var pairs []string
	if len(multi) > 0 {
		for _, key := range sortedKeys(multi) {
			for _, value := range multi[key] {
				pairs = append(pairs, keepQuery(key)+"="+keepQuery(value))
			}
		}
	} else {
		for _, key := range sortedKeys(single) {
			pairs = append(pairs, keepQuery(key)+"="+keepQuery(single[key]))
		}
	}
	return strings.Join(pairs, "&")
}

// keepQuery returns a part of a query as it was sent, unless it cannot have
// been sent like that.
func keepQuery(s string) string {
	_, err := url.QueryUnescape(s)
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '&' || c == '#' })
	if err != nil || odd {
		return url.QueryEscape(s)
	}
	return s
}

// albAnswer is the answer to a load balancer: headers in the form in which it
// sends them.
type albAnswer struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription"`
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

func writeALB(q request, a answer) any {
	out := albAnswer{
		StatusCode:        a.status,
		StatusDescription: strings.TrimSpace(strconv.Itoa(a.status) + " " + http.StatusText(a.status)),
		Body:              a.body, IsBase64Encoded: a.base64,
	}
	if q.multiValue {
		out.MultiValueHeaders = a.header
		return out
	}
	out.Headers = make(map[string]string, len(a.header))
	for name, lines := range a.header {
		if name != "Set-Cookie" {
			out.Headers[name] = strings.Join(lines, ", ")
		}
	}
	for i, cookie := range a.header["Set-Cookie"] {
		out.Headers[spelling("set-cookie", i)] = cookie
	}
	return out
}

// spelling returns the i-th way to spell a lower-case header name in capitals
// and small letters. Cookies cannot be joined by commas, and without
// multi-value headers a load balancer takes one line for each spelling.
func spelling(name string, i int) string {
	b := []byte(name)
	for n := range b {
		if b[n] >= 'a' && b[n] <= 'z' {
			if i&1 == 1 {
				b[n] -= 'a' - 'A'
			}
			i >>= 1
		}
	}
	return string(b)
}
