package faas

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
)

// A front is the service between the client and the function. It speaks HTTP with the
// client and sends events to the function.
type front struct {
	read   func(*event) request
	gather func(request, func(http.ResponseWriter)) (any, error) // returns what the callback writes
	limit  int                                                   // bytes of an encoded response
}

// The largest responses that Lambda and a load balancer accept.
const (
	lambdaLimit = 6_291_556
	albLimit    = 1 << 20
)

var fronts = map[kind]front{
	httpAPI:      {readHTTPAPI, gatherV2, lambdaLimit},
	functionURL:  {readFunctionURL, gatherV2, lambdaLimit},
	restAPI:      {readREST, gatherREST, lambdaLimit},
	loadBalancer: {readALB, gatherALB, albLimit},
}

// A request is an HTTP request in the form that the bridge takes. It is the form of a load
// balancer, because for that one the bridge does not split headers at commas and ignores
// environment variables. The query is part of the path, because the bridge would reorder a
// map at random.
type request struct {
	events.ALBTargetGroupRequest

	host       string
	remote     string // the client's address; "" if unknown
	secure     bool   // the client used TLS
	multiValue bool   // the answer's headers are lists; load balancers only
}

// request returns the parts of a request that all fronts have in common. path and query
// are escaped.
func (e *event) request(method, path, query, remote string) request {
	h := headers(e.Headers, e.MultiHeaders)
	q := request{host: cmp.Or(h.Get("Host"), e.RequestContext.DomainName), remote: remote, secure: true}
	for name := range h {
		// net/http keeps the first two in fields. The others belong to the bridge, which would
		// believe a client's.
		if name == "Host" || name == "Transfer-Encoding" || strings.HasPrefix(name, "X-Golambdaproxy-") {
			delete(h, name)
		}
	}
	if query != "" {
		path += "?" + strings.ReplaceAll(query, "#", "%23") // clients send no fragment
	}
	q.HTTPMethod, q.Path, q.MultiValueHeaders = method, path, h
	q.Body, q.IsBase64Encoded = e.Body, e.IsBase64Encoded
	return q
}

// traceKey is the context key under which the runtime library stores the trace.
const traceKey = "x-amzn-trace-id"

// http returns the request that net/http's server would have read from the wire. It fails
// if no server would accept it.
func (q request) http(ctx context.Context) (*http.Request, error) {
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	if !isToken(q.HTTPMethod) || strings.ContainsFunc(q.Path, control) { // the bridge would print them
		return nil, errors.New("the request line cannot be parsed")
	}
	r, err := new(core.RequestAccessorALB).EventToRequest(q.ALBTargetGroupRequest)
	if err != nil {
		return nil, fmt.Errorf("convert the event: %w", err)
	}
	r = r.WithContext(ctx)
	r.Method = q.HTTPMethod // the bridge changes its case, which matters (RFC 9110 section 9.1)
	r.Host, r.URL.Scheme, r.URL.Host = q.host, "", ""
	r.RemoteAddr = remoteAddr(q.remote)
	if trace, ok := ctx.Value(traceKey).(string); ok && trace != "" {
		r.Header.Set("X-Amzn-Trace-Id", trace) // not the client's: it names our segment
	}
	if q.secure {
		name, _, err := net.SplitHostPort(q.host)
		if err != nil {
			name = q.host
		}
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: name}
	}
	return r, nil
}

// remoteAddr returns the address in the form of [http.Request.RemoteAddr]. The port is 0
// if the front does not report it. An unknown address is 0.0.0.0, which no client has.
func remoteAddr(s string) string {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.String()
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(addr, 0).String()
	}
	return "0.0.0.0:0"
}

// escapePath returns a decoded path in the form of a request line.
func escapePath(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// keepPath returns a path that the front passes on as the client sent it. If the path
// cannot be part of a request line, the front has decoded it, and keepPath escapes it.
func keepPath(path string) string {
	_, err := url.PathUnescape(path)
	odd := strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c > '~' || c == '?' || c == '#' })
	if err != nil || odd || !strings.HasPrefix(path, "/") {
		return escapePath(path)
	}
	return path
}

// headers returns the headers of an event that has each name with its last value, with all
// values, or both. It merges names that differ only in case, in a stable order.
func headers(single map[string]string, multi map[string][]string) http.Header {
	h := make(http.Header, max(len(single), len(multi)))
	for _, name := range sortedKeys(multi) {
		for _, value := range multi[name] {
			h.Add(name, value)
		}
	}
	listed := len(h) > 0
	all := h
	if listed {
		all = h.Clone()
	}
	for _, name := range sortedKeys(single) {
		if !listed || h.Values(name) == nil {
			all.Add(name, single[name])
		}
	}
	return all
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// decode decodes an event of a known kind.
func decode[Event any](payload []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return e, fmt.Errorf("decode the event: %w", err)
	}
	return e, nil
}
