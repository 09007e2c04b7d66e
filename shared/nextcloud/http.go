package nextcloud

import (
	"crypto/x509"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// HTTPClient returns the HTTP client that the packages ocs and webdav use, for checks
// that need less than a whole client. It follows no redirects and keeps no cookies. The
// certificate of the server is checked against roots, or the system's if nil; connect
// limits connecting and the TLS handshake. There is no time limit for whole requests.
func HTTPClient(roots *x509.CertPool, connect time.Duration) *http.Client {
	return transport.NewHTTPClient(transport.Config{Roots: roots, Connect: connect})
}
