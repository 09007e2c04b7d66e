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

// A front is what stands between the client and the function and speaks HTTP
// with the one and events with the other.
type front struct {
	read   func(*event) request
	gather func(request, func(http.ResponseWriter)) (any, error) // returns the answer that the callback writes
	limit  int                                                   // bytes of an encoded answer
}

// The largest answers that Lambda, and a load balancer, pass on.
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

// A request is an HTTP request as the bridge takes it. Of the forms that it
// knows, a load balancer's is the one in which it splits no header at its commas
// and heeds no environment variable. The query stands behind the path, since of
// a map it would be in random order.
type request struct {
	events.ALBTargetGroupRequest

	host       string
	remote     string // the client's address; "" when unknown
	secure     bool   // the client used TLS
	multiValue bool   // the answer's headers are lists; load balancers only
}

// request returns what all fronts say alike about a request. Path and query are
// escaped.
func (e *event) request(method, path, query, remote string) request {
	h := headers(e.Headers, e.MultiHeaders)
	q := request{host: cmp.Or(h.Get("Host"), e.RequestContext.DomainName), remote: remote, secure: true}
	for name := range h {
		// net/http keeps the first two in fields of their own. The others are
		// the bridge's, and its readers would believe a client's.
		if name == "Host" || name == "Transfer-Encoding" || strings.HasPrefix(name, "X-Golambdaproxy-") {
			delete(h, name)
		}
	}
	if query != "" {
		path += "?" + strings.ReplaceAll(query, "#", "%23") // no fragment is sent
	}
	q.HTTPMethod, q.Path, q.MultiValueHeaders = method, path, h
	q.Body, q.IsBase64Encoded = e.Body, e.IsBase64Encoded
	return q
}

// traceKey is under what the runtime library keeps the trace in a context.
const traceKey = "x-amzn-trace-id"

// http has the bridge make the request, and makes it the one that net/http's
// server would have read from the wire. It fails for what no server would take
// for one.
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
	r.Method = q.HTTPMethod // not in capitals: methods are case-sensitive (RFC 9110 section 9.1)
	r.Host, r.URL.Scheme, r.URL.Host = q.host, "", ""
	r.RemoteAddr = remoteAddr(q.remote)
	if trace, ok := ctx.Value(traceKey).(string); ok && trace != "" {
		r.Header.Set("X-Amzn-Trace-Id", trace) // the runtime's names our segment, the client's does not
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

// remoteAddr returns the address in the form of [http.Request.RemoteAddr]. The
// port is unknown to most fronts and 0 then; an unknown address is 0.0.0.0,
// which no client has.
func remoteAddr(s string) string {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.String()
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(addr, 0).String()
	}
	return "0.0.0.0:0"
}

// escapePath returns a decoded path as it stands in a request line.
func escapePath(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// keepPath returns a path that the front left as the client sent it. One that
// cannot stand in a request line was decoded after all.
func keepPath(path string) string {
	_, err := url.PathUnescape(path)
	odd := strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c > '~' || c == '?' || c == '#' })
	if err != nil || odd || !strings.HasPrefix(path, "/") {
		return escapePath(path)
	}
	return path
}

// headers returns the headers of an event that has them once with their last
// value, once with all, or both. Names that differ in case are merged in a
// stable order.
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

// decode reads the event of a front whose kind is known already.
func decode[Event any](payload []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return e, fmt.Errorf("decode the event: %w", err)
	}
	return e, nil
}
