package faas

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// readALB reads an event of a load balancer, which does not decode the path and the query.
func readALB(e *event) request {
	h := headers(e.Headers, e.MultiHeaders)
	q := e.request(e.HTTPMethod, keepPath(e.Path), escapedQuery(e.Query, e.MultiQuery), lastHop(h))
	q.secure, q.multiValue = h.Get("X-Forwarded-Proto") == "https", e.MultiHeaders != nil
	return q
}

// lastHop returns the address that the load balancer appended to X-Forwarded-For. Its
// events contain the client's address nowhere else. The attribute
// routing.http.xff_header_processing.mode must be "append", the default.
func lastHop(h http.Header) string {
	hops := h.Values("X-Forwarded-For")
	if len(hops) == 0 {
		return ""
	}
	last := hops[len(hops)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// escapedQuery joins parts that are escaped already, sorted by key because the original
// order is lost.
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

// keepQuery returns a part of a query as it was sent. It escapes a part that cannot have
// been sent like that.
func keepQuery(s string) string {
	_, err := url.QueryUnescape(s)
	odd := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '&' || c == '#' })
	if err != nil || odd {
		return url.QueryEscape(s)
	}
	return s
}

// gatherALB adds the status text that a load balancer expects, and uses the form of
// headers that the load balancer is configured for.
func gatherALB(q request, answer func(http.ResponseWriter)) (any, error) {
	w := core.NewProxyResponseWriterALB()
	answer(w)
	a, err := w.GetProxyResponse()
	a.StatusDescription = strings.TrimSpace(strconv.Itoa(a.StatusCode) + " " + a.StatusDescription)
	if !q.multiValue {
		a.Headers, a.MultiValueHeaders = singleHeaders(a.MultiValueHeaders), nil
	}
	return a, err
}

// singleHeaders returns the headers with one value for each name.
func singleHeaders(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, lines := range h {
		if name != "Set-Cookie" {
			out[name] = strings.Join(lines, ", ")
		}
	}
	for i, cookie := range h["Set-Cookie"] {
		out[caseVariant("set-cookie", i)] = cookie
	}
	return out
}

// caseVariant returns the i-th variant of a lower-case header name in upper and lower case.
// Cookies cannot be joined by commas, and without multi-value headers a load balancer
// accepts one value for each spelling.
func caseVariant(name string, i int) string {
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
