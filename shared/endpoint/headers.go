package endpoint

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/correlation"
)

// fixedHeaders are headers of every response, by their canonical names. A response that may
// be cached, framed or scripted replaces the header concerned. All responses share the
// values, so nothing may change their elements; [http.Header] replaces them or appends to
// a copy.
var fixedHeaders = []struct {
	name  string
	value []string
}{
	{"Cache-Control", []string{"no-store"}},
	{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}},
	{"Cross-Origin-Resource-Policy", []string{"same-site"}},
	{"Permissions-Policy", []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"}},
	{"Referrer-Policy", []string{"no-referrer"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
	{"X-Xss-Protection", []string{"1; mode=block"}}, // for browsers from before Content-Security-Policy
}

var transportSecurity = []string{"max-age=31536000; includeSubDomains"}

func standardHeaders(h http.Header, r *http.Request, correlationID string) {
	for _, f := range fixedHeaders {
		h[f.name] = f.value
	}
	h[correlationHeader] = []string{correlationID}
	if !isLocal(r.Host) {
		h["Strict-Transport-Security"] = transportSecurity
	}
}

var correlationHeader = http.CanonicalHeaderKey(correlation.Header)

// isLocal reports whether host is localhost or an IP address. Browsers apply
// HSTS to a host with all its ports, so it would break every other development
// server on localhost. For addresses it has no effect (RFC 6797 section 8.1.1).
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
