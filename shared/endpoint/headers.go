package endpoint

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/correlation"
)

// The headers of every answer. An answer that may be cached, framed or scripted
// replaces the header concerned.
const (
	contentPolicy     = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	permissionsPolicy = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
	transportSecurity = "max-age=31536000; includeSubDomains"
)

func standardHeaders(h http.Header, r *http.Request, correlationID string) {
	h.Set(correlation.Header, correlationID)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-site")
	h.Set("Permissions-Policy", permissionsPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-XSS-Protection", "1; mode=block") // for browsers from before Content-Security-Policy
	if !isLocal(r.Host) {
		h.Set("Strict-Transport-Security", transportSecurity)
	}
}

// isLocal reports whether host is localhost or an IP address. Browsers apply
// HSTS to a host with all its ports, so it would break every other development
// server on localhost. For addresses it has no effect (RFC 6797 section 8.1.1).
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
