package faas

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A front is what stands between the client and the function and speaks HTTP
// with the one and events with the other.
type front struct {
	read  func(*event) request
	write func(request, answer) any
	limit int // bytes of an encoded answer
}

// The largest answers that Lambda, and a load balancer, pass on.
const (
	lambdaLimit = 6_291_556
	albLimit    = 1 << 20
)

var fronts = map[kind]front{ //nolint:gochecknoglobals // a constant table
	httpAPI:      {readHTTPAPI, writeV2, lambdaLimit},
	functionURL:  {readFunctionURL, writeV2, lambdaLimit},
	restAPI:      {readREST, writeREST, lambdaLimit},
	loadBalancer: {readALB, writeALB, albLimit},
}

// A request is what an event says about its HTTP request.
type request struct {
	method     string
	path       string // escaped, as in a request line
	query      string // raw, without "?"
	host       string
	remote     string // the client's address; "" when unknown
	secure     bool   // the client used TLS
	header     http.Header
	body       string
	base64     bool // the body is base64
	multiValue bool // the answer's headers are lists; load balancers only
}

// traceKey is under what the runtime library keeps the trace in a context.
const traceKey = "x-amzn-trace-id"

// http returns the request that net/http's server would have read from the
// wire. It fails for what no server would take for one.
func (q request) http(ctx context.Context) (*http.Request, error) {
	target := q.path
	if q.query != "" {
		target += "?" + q.query
	}
	u, err := url.ParseRequestURI(target)
	if err != nil || !isToken(q.method) {
		return nil, errors.New("the request line cannot be parsed")
	}
	body := []byte(q.body)
	if q.base64 {
		if body, err = base64.StdEncoding.DecodeString(q.body); err != nil {
			return nil, fmt.Errorf("decode the body: %w", err)
		}
	}
	r := (&http.Request{
		Method: q.method, URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: q.host, RemoteAddr: remoteAddr(q.remote), Header: q.header,
		Body: http.NoBody, ContentLength: int64(len(body)),
	}).WithContext(ctx)
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	for _, name := range []string{"Host", "Transfer-Encoding"} {
		r.Header.Del(name) // as net/http does: they live in fields of their own
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Golambdaproxy-") {
			delete(r.Header, name) // what other adapters write, and their readers believe
		}
	}
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
