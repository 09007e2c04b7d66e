package faastest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// A request is the part of an HTTP request that every front sees.
type request struct {
	method, path, escapedPath, query string
	source                           string
	header                           http.Header // with Host and the headers that fronts add
	body                             []byte
}

func requestOf(r *http.Request) (request, error) {
	q := request{
		method: cmp.Or(r.Method, http.MethodGet), path: cmp.Or(r.URL.Path, "/"),
		escapedPath: cmp.Or(r.URL.EscapedPath(), "/"), query: r.URL.RawQuery,
		source: "203.0.113.7", header: r.Header.Clone(),
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return q, fmt.Errorf("read the body: %w", err)
		}
		q.body = body
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		q.source = host
	}
	if q.header == nil {
		q.header = http.Header{}
	}
	q.header.Set("Host", cmp.Or(r.Host, r.URL.Host))
	q.header.Set("X-Forwarded-For", strings.Join(append(r.Header.Values("X-Forwarded-For"), q.source), ", "))
	q.header.Set("X-Forwarded-Proto", "https")
	q.header.Set("X-Forwarded-Port", "443")
	q.header.Set("X-Amzn-Trace-Id", "Root=1-67a1b2c3-0123456789abcdef01234567")
	if len(q.body) > 0 {
		q.header.Set("Content-Length", fmt.Sprint(len(q.body)))
	}
	return q, nil
}

// v2 returns payload 2.0: lower-case names with one value each, and cookies apart.
func (q request) v2(path, domain string) ([]byte, error) {
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: path, RawQueryString: q.query,
		Headers: map[string]string{},
	}
	for _, line := range q.header.Values("Cookie") {
		e.Cookies = append(e.Cookies, strings.Split(line, "; ")...)
	}
	for name, lines := range q.header {
		if name != "Cookie" {
			e.Headers[strings.ToLower(name)] = strings.Join(lines, ",")
		}
	}
	e.Body, e.IsBase64Encoded = q.encoded(isText)
	c := &e.RequestContext
	c.RouteKey, c.Stage, c.RequestID, c.DomainName = "$default", "$default", "JKJaXmPLvHcESHA=", domain
	c.HTTP.Method, c.HTTP.Path, c.HTTP.Protocol = q.method, path, "HTTP/1.1"
	c.HTTP.SourceIP, c.HTTP.UserAgent = q.source, q.header.Get("User-Agent")
	return json.Marshal(e)
}

// v1 returns payload 1.0: headers and query parameters with their last value and again
// with all values, the query decoded.
func (q request) v1() ([]byte, error) {
	e := events.APIGatewayProxyRequest{
		Resource: "/{proxy+}", Path: q.escapedPath, HTTPMethod: q.method,
		Headers: last(q.header), MultiValueHeaders: q.header,
	}
	if q.query != "" {
		values, err := url.ParseQuery(q.query)
		if err != nil {
			return nil, fmt.Errorf("a REST API refuses this query: %w", err)
		}
		e.QueryStringParameters, e.MultiValueQueryStringParameters = last(values), values
	}
	e.Body, e.IsBase64Encoded = q.encoded(func(string) bool { return true })
	c := &e.RequestContext
	c.Stage, c.RequestID, c.Protocol = "live", requestID, "HTTP/1.1"
	c.DomainName, c.HTTPMethod, c.Path = q.header.Get("Host"), q.method, "/live"+q.escapedPath
	c.Identity.SourceIP, c.Identity.UserAgent = q.source, q.header.Get("User-Agent")
	return json.Marshal(e)
}

// alb returns the event of a load balancer: lower-case names, the query as sent, the
// client's address only in X-Forwarded-For.
func (q request) alb(multi bool) ([]byte, error) {
	h := make(http.Header, len(q.header))
	for name, lines := range q.header {
		h[strings.ToLower(name)] = lines
	}
	values := map[string][]string{}
	for pair := range strings.SplitSeq(q.query, "&") {
		if pair != "" {
			key, value, _ := strings.Cut(pair, "=")
			values[key] = append(values[key], value)
		}
	}
	e := events.ALBTargetGroupRequest{HTTPMethod: q.method, Path: q.escapedPath}
	e.RequestContext.ELB.TargetGroupArn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/f/0123456789abcdef"
	if multi {
		e.MultiValueHeaders, e.MultiValueQueryStringParameters = h, values
	} else {
		e.Headers, e.QueryStringParameters = last(h), last(values)
	}
	e.Body, e.IsBase64Encoded = q.encoded(isText)
	return json.Marshal(e)
}

// last returns the last value of each key. The single-value forms keep only that one.
func last(m map[string][]string) map[string]string {
	single := make(map[string]string, len(m))
	for key, values := range m {
		if len(values) > 0 {
			single[key] = values[len(values)-1]
		}
	}
	return single
}

// encoded returns the body as text if it is valid text and the front treats its type as
// text, and in base64 otherwise.
func (q request) encoded(text func(contentType string) bool) (body string, isBase64 bool) {
	if len(q.body) == 0 {
		return "", false
	}
	if q.header.Get("Content-Encoding") == "" && text(q.header.Get("Content-Type")) && utf8.Valid(q.body) {
		return string(q.body), false
	}
	return base64.StdEncoding.EncodeToString(q.body), true
}

// isText reports whether HTTP APIs and load balancers pass on bodies of the type as text.
// Forms are not among them.
func isText(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasPrefix(t, "text/") ||
		slices.Contains([]string{"application/json", "application/javascript", "application/xml"}, t))
}
