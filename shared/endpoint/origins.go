package endpoint

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
)

var errCrossOrigin = fault.New(fault.Forbidden, "cross_origin",
	"Pages of this origin are not allowed to use the refresh cookie.")

func hasRefreshCookie(r *http.Request) bool { return len(r.CookiesNamed(token.RefreshCookie)) > 0 }

// CheckOrigin returns a fault if a page of an origin that is not allowed made a
// browser send r. Handlers that set or clear the refresh cookie call it, or
// such a page could log its visitors in to another account, or out. Requests
// that carry the cookie never get this far.
func CheckOrigin(r *http.Request) error {
	if exchangeOf(r).foreign {
		return errCrossOrigin
	}
	return nil
}

// Origins are the origins whose pages may call the gateway with credentials
// (CORS, Fetch Standard section 3.2). The gateway handles CORS itself wherever
// it runs, so nothing in front of it may.
type Origins []string

// Load loads ALLOWED_ORIGINS, exact origins separated by commas. A wildcard is
// refused: with credentials it would open every account to every page.
func (o *Origins) Load(r setting.Reader) {
	*o = nil
	for _, item := range r.List("ALLOWED_ORIGINS") {
		if !isOrigin(item) {
			r.Refuse("ALLOWED_ORIGINS", item,
				"exact origins as browsers send them, such as https://app.example.org, separated by commas, "+
					"in lower case, without path, default port, * or null")
			continue
		}
		*o = append(*o, item)
	}
}

// isOrigin reports whether item is an origin as browsers send it (HTML Standard
// section 7.1.1, ASCII serialisation). Any other spelling would match no
// request, and the mistake would be hard to find.
func isOrigin(item string) bool {
	u, err := url.Parse(item)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	origin, port := u.Scheme+"://"+u.Host, u.Port()
	if n, err := strconv.ParseUint(port, 10, 16); port != "" &&
		(err != nil || n == 0 || strconv.FormatUint(n, 10) != port || port == defaultPorts[u.Scheme]) {
		return false
	}
	return item == origin && !strings.HasSuffix(item, ":") && isOriginHost(u.Hostname())
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// isOriginHost reports whether host is an IP address in its shortest form, or a
// name in lower-case ASCII. The last label is not a number, since browsers take
// such a name for an address.
func isOriginHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String() == host && addr.Zone() == "" && !addr.Is4In6()
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

const (
	allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	exposedHeaders = "Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, Link, Location, Retry-After, " +
		"RateLimit, RateLimit-Policy, WWW-Authenticate, X-Correlation-ID"
	preflightAge = "7200" // seconds, the longest that browsers cache it
)

// The limits of a preflight request, more than any page needs.
const (
	maxRequestedNames = 64
	maxRequestedBytes = 4 << 10
)

// requestedHeaders returns the names of the headers that the page behind a
// preflight request wants to send, or "" if they are not a list of tokens or
// too long. Pages of allowed origins may send any headers, such as the trace
// headers of their libraries.
func requestedHeaders(r *http.Request) string {
	asked := strings.Join(r.Header.Values("Access-Control-Request-Headers"), ",")
	if len(asked) > maxRequestedBytes {
		return ""
	}
	names := strings.Split(asked, ",")
	for i, name := range names {
		names[i] = strings.Trim(name, " \t")
		if !isToken(names[i]) {
			return ""
		}
	}
	if len(names) > maxRequestedNames {
		return ""
	}
	return strings.Join(names, ", ")
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2), such as the
// name of a header.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}) < 0
}

// serve sets the CORS headers of r and reports whether r was a preflight
// request, which it has answered.
func (o Origins) serve(w http.ResponseWriter, r *http.Request) (done bool) {
	h := w.Header()
	if len(o) > 0 {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	allowed := origin != "" && (slices.Contains(o, origin) || !defense.AllowedOrigins)
	if allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", exposedHeaders)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if r.Method != http.MethodOptions || origin == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if len(o) > 0 {
		h.Set("Vary", "Origin, Access-Control-Request-Headers")
	}
	if allowed {
		h.Set("Access-Control-Allow-Methods", allowedMethods)
		if asked := requestedHeaders(r); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
		h.Set("Access-Control-Max-Age", preflightAge)
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// protection returns the CSRF protection for requests with cookies.
func (o Origins) protection() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, origin := range o {
		if err := p.AddTrustedOrigin(origin); err != nil {
			panic(err) // ReadOrigins lets no such value through
		}
	}
	return p
}
