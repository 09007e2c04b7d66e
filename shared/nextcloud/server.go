package nextcloud

import (
	"crypto/x509"
	"net/url"
	"os"
	"time"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/pemtext"
	"github.com/voiceassist/gateway/shared/foundation/fault"
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
}

// ReadServer reads NEXTCLOUD_URL, NEXTCLOUD_PUBLIC_URL and NEXTCLOUD_CA_FILE.
func ReadServer(env *config.Env) Server {
	s := Server{
		URL:       env.URL(VariableURL, "https", "http"),
		PublicURL: env.URL("NEXTCLOUD_PUBLIC_URL", "https", "http"),
		Roots:     ReadRoots(env),
	}
	if s.PublicURL == nil {
		s.PublicURL = s.URL
	}
	return s
}

// ReadRoots reads the certificate authorities in the file that NEXTCLOUD_CA_FILE
// names. It returns nil if the variable is not set.
func ReadRoots(env *config.Env) *x509.CertPool {
	const variable = "NEXTCLOUD_CA_FILE"
	path := env.String(variable, "")
	if path == "" {
		return nil
	}
	var roots *x509.CertPool
	text, err := os.ReadFile(path)
	if err == nil {
		roots, err = pemtext.Authorities(text)
	}
	if err != nil {
		env.Refuse(variable, path, "a file with certificates in PEM ("+err.Error()+")")
	}
	return roots
}
