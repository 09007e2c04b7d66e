package nextcloud

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// VariableURL names the variable with the server's address. Without it, the
// gateway has no Nextcloud.
const VariableURL = "NEXTCLOUD_URL"

// Errors of requests that need Nextcloud.
var (
	ErrNotConfigured = fault.New(fault.Conflict, "nextcloud_disabled", "No Nextcloud is configured.")
	ErrUnavailable   = fault.New(fault.Unavailable, "nextcloud_unavailable", "Nextcloud is not available at the moment.").After(5 * time.Second)
)

// A Server is the address of a Nextcloud and how to trust it. The zero value is
// a gateway without one.
type Server struct {
	URL       *url.URL       // as the gateway reaches it; nil for none
	PublicURL *url.URL       // as users reach it
	Roots     *x509.CertPool // nil for the system's

	// Wrap observes all requests to the server but those of health checks: it returns what
	// sends them instead of the transport that it is given. nil for that transport.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Load loads NEXTCLOUD_URL, NEXTCLOUD_PUBLIC_URL and NEXTCLOUD_CA_FILE.
func (s *Server) Load(r setting.Reader) {
	*s = Server{
		URL:       r.URL(VariableURL, "https", "http"),
		PublicURL: r.URL("NEXTCLOUD_PUBLIC_URL", "https", "http"),
		Roots:     loadRoots(r),
	}
	if s.PublicURL == nil {
		s.PublicURL = s.URL
	}
}

// API returns which API a request to Nextcloud calls: "ocs", for accounts, or "webdav",
// for files.
func API(r *http.Request) string {
	if strings.Contains(r.URL.Path, "/ocs/v") {
		return "ocs"
	}
	return "webdav"
}

// loadRoots returns the certificate authorities in the file that NEXTCLOUD_CA_FILE
// names, or nil if it is unset.
func loadRoots(r setting.Reader) *x509.CertPool {
	const variable = "NEXTCLOUD_CA_FILE"
	path := r.String(variable, "")
	if path == "" {
		return nil
	}
	var roots *x509.CertPool
	text, err := os.ReadFile(path)
	if err == nil {
		roots, err = pemtext.Authorities(text)
	}
	if err != nil {
		r.Refuse(variable, path, "a file with certificates in PEM ("+err.Error()+")")
	}
	return roots
}
