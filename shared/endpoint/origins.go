package endpoint

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/fault"
)

// RefreshCookie is the cookie that may carry the refresh token. Its prefix
// makes browsers refuse it without Secure (RFC 6265bis section 4.1.3.1).
const RefreshCookie = "__Secure-refresh_token"

var errCrossOrigin = fault.New(fault.Forbidden, "cross_origin",
	"A page of another origin may not use the refresh cookie.")

func hasRefreshCookie(r *http.Request) bool {
	_, err := r.Cookie(RefreshCookie)
	return err == nil
}

// Origins are the origins whose pages may call the gateway with credentials
// (CORS, Fetch Standard section 3.2). The gateway answers CORS itself in every
// way it runs, so nothing in front of it may.
type Origins []string

// ReadOrigins reads ALLOWED_ORIGINS, exact origins separated by commas. A
// wildcard is refused: with credentials it would open every account to every
// page.
func ReadOrigins(env *config.Env) Origins {
	var origins Origins
	for _, item := range env.List("ALLOWED_ORIGINS") {
		u, err := url.Parse(item)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" ||
			strings.ToLower(item) != u.Scheme+"://"+u.Host || strings.Contains(item, "*") {
			env.Refuse("ALLOWED_ORIGINS", item,
				"exact origins such as https://app.example.org, separated by commas, without path, * or null")
			continue
		}
		origins = append(origins, item)
	}
	return origins
}

const (
	allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	allowedHeaders = "Authorization, Content-Type, If-Match, If-None-Match, Range, X-Correlation-ID"
	exposedHeaders = "ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, X-Correlation-ID"
	preflightAge   = "7200" // seconds; browsers keep it no longer
)

// serve sets the CORS headers of r and reports whether r was a preflight, which
// it has answered then.
func (o Origins) serve(w http.ResponseWriter, r *http.Request) (done bool) {
	h := w.Header()
	if len(o) > 0 {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	allowed := origin != "" && slices.Contains(o, origin)
	if allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", exposedHeaders)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if r.Method != http.MethodOptions || origin == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if allowed {
		h.Set("Access-Control-Allow-Methods", allowedMethods)
		h.Set("Access-Control-Allow-Headers", allowedHeaders)
		h.Set("Access-Control-Max-Age", preflightAge)
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// protection guards what a browser sends along by itself against other
// origins.
func (o Origins) protection() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, origin := range o {
		if err := p.AddTrustedOrigin(origin); err != nil {
			panic(err) // ReadOrigins lets no such value through
		}
	}
	return p
}
