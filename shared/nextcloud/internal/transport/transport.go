// Package transport carries HTTP requests to one Nextcloud server. It is what the
// clients ocs and webdav have in common: addresses and their escaping, connections,
// redirects, Retry-After, and errors without addresses. What a response means, and how
// long it may take, is up to each client.
//
// Begin with [New]. It imports nothing of the gateway.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// UserAgent is the User-Agent of requests. Nextcloud names app passwords after it.
	UserAgent = "VoiceAssist gateway"
	// maxHeader bounds the header of a response, in bytes. Nextcloud sends about
	// 3 KiB, half of it cookies.
	maxHeader = 64 << 10
	// DefaultIdleConns is the number of idle connections that are kept, unless a [Config]
	// says otherwise.
	DefaultIdleConns = 8
	// maxRetryAfter bounds how long a server can make the gateway wait.
	maxRetryAfter = 24 * time.Hour
)

// A Config describes how to reach a server.
type Config struct {
	URL     *url.URL       // base address, with the folder of the installation: https://host/nextcloud
	Roots   *x509.CertPool // certificate authorities of the server; nil for the system's
	Connect time.Duration  // limit for connecting, and for the TLS handshake

	IdleConns int // idle connections that are kept for the next requests; 0 for [DefaultIdleConns]

	// Wrap returns what sends requests instead of the transport that it is given, to observe
	// them; nil for that transport.
	Wrap func(http.RoundTripper) http.RoundTripper

	Buffer   int           // read and write buffer of a connection, in bytes; 0 for net/http's default
	Continue time.Duration // how long a request with Expect waits for the server's 100; 0 for no wait
}

// A Server sends requests to one Nextcloud. It reuses connections, follows no
// redirects and keeps no cookies. It is safe for concurrent use.
type Server struct {
	base url.URL
	http *http.Client
}

// New returns a Server. It does not connect. Credentials, query and fragment of the
// address are dropped: credentials would appear in errors.
func New(c Config) *Server {
	base := *c.URL
	base.User, base.RawQuery, base.Fragment = nil, "", ""
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), ""
	return &Server{base: base, http: NewHTTPClient(c)}
}

// NewHTTPClient returns the HTTP client of [New]. It does not use c.URL.
func NewHTTPClient(c Config) *http.Client {
	dialer := net.Dialer{Timeout: c.Connect}
	var sender http.RoundTripper = &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return withLowWater(conn), nil
		},
		TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    c.Connect,
		MaxIdleConnsPerHost:    cmp.Or(c.IdleConns, DefaultIdleConns),
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeader,
		ExpectContinueTimeout:  c.Continue,
		WriteBufferSize:        c.Buffer,
		ReadBufferSize:         c.Buffer,
		ForceAttemptHTTP2:      true,
	}
	if c.Wrap != nil {
		sender = c.Wrap(sender)
	}
	return &http.Client{
		Transport:     sender,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes idle connections. The Server stays usable.
func (s *Server) Close() { s.http.CloseIdleConnections() }

// URL returns the address of a path below the base. Each segment is escaped separately:
// [url.URL.JoinPath] would resolve "..".
func (s *Server) URL(segments ...string) *url.URL {
	u := s.base
	raw := s.base.EscapedPath()
	for _, segment := range segments {
		u.Path += "/" + segment
		raw += "/" + Escape(segment)
	}
	u.RawPath = raw
	return &u
}

// Escape is [url.PathEscape] that also escapes the plus sign: Nextcloud's WebDAV reads a
// plus in the user ID as a space.
func Escape(segment string) string {
	return strings.ReplaceAll(url.PathEscape(segment), "+", "%2B")
}

// Do sends a request, with [UserAgent] unless it has one. Its error does not contain the
// address, which names a user and a file.
func (s *Server) Do(req *http.Request) (*http.Response, error) {
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", UserAgent)
	}
	resp, err := s.http.Do(req)
	return resp, withoutURL(err)
}

// NewRequest is [http.NewRequestWithContext] whose error does not contain the address.
func NewRequest(ctx context.Context, method string, u *url.URL, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	return req, withoutURL(err)
}

// withoutURL removes the [url.Error] that net/http wraps around err.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// RetryAfter reads Retry-After (RFC 9110 section 10.2.3): seconds, or a date, which is
// relative to the server's clock. The result is at most a day, and 0 if the field is
// missing or malformed.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if s, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(s)*time.Second, maxRetryAfter)
	}
	until, err1 := http.ParseTime(value)
	now, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

// Sleep waits for d, or returns the error of ctx when it ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
