package server

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// healthPath is the only path that plain HTTP serves: health checks of containers
// and load balancers do not verify certificates.
const healthPath = "/health"

var errHost = fault.New(fault.Malformed, "bad_host", "The Host header has no valid host.")

// plain returns the handler of the HTTP listener: /health as over HTTPS, and a
// redirect to the HTTPS port for everything else.
func (s *Server) plain(port string) http.Handler {
	redirect := endpoint.New(s.Endpoint, endpoint.Route{
		Pattern: "/",
		Limit:   ratelimit.Unlimited, // the redirect target is limited
		Handler: endpoint.Raw(func(w http.ResponseWriter, r *http.Request) error {
			host, err := secureHost(r.Host, port)
			if !defense.HostHeader {
				host, err = r.Host, nil
			}
			if err != nil {
				return err
			}
			// Clients cache a 308 without end by default, but ports and hosts of
			// development change. 308 keeps method and body (RFC 9110 section
			// 15.4.9).
			w.Header().Set("Location", "https://"+host+requestURI(r))
			w.WriteHeader(http.StatusPermanentRedirect)
			return nil
		}),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == healthPath {
			s.Handler.ServeHTTP(w, r)
			return
		}
		redirect.ServeHTTP(w, r)
	})
}

// requestURI returns path and query as the client sent them.
func requestURI(r *http.Request) string {
	uri := r.URL.EscapedPath()
	if !strings.HasPrefix(uri, "/") {
		uri = "/" + uri
	}
	if r.URL.RawQuery != "" {
		uri += "?" + r.URL.RawQuery
	}
	return uri
}

// secureHost returns the host of a Host header (RFC 9110 section 7.2) with the
// given port, which it omits if it is 443. It rejects everything but a name or an
// address, since the result becomes part of a URL.
func secureHost(header, port string) (string, error) {
	name, given := header, ""
	if h, p, err := net.SplitHostPort(header); err == nil {
		name, given = h, p
	} else if strings.HasPrefix(header, "[") && strings.HasSuffix(header, "]") {
		name = header[1 : len(header)-1]
	}
	if given != "" {
		if _, err := strconv.ParseUint(given, 10, 16); err != nil {
			return "", errHost
		}
	}
	addr, err := netip.ParseAddr(name)
	if (err != nil || addr.Zone() != "") && !hostName(name) {
		return "", errHost
	}
	if port != "443" {
		return net.JoinHostPort(name, port), nil
	}
	if addr.Is6() {
		return "[" + name + "]", nil
	}
	return name, nil
}

// hostName reports whether name is a valid DNS name (RFC 1035 section 2.3.4).
// Underscores are allowed, as people use them in private networks.
func hostName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, hostLetters) != "" {
			return false
		}
	}
	return true
}

const hostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
