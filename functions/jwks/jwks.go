// Package jwks is the function behind GET /.well-known/jwks.json: the public
// keys that other services check access tokens with.
package jwks

import (
	"net/http"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// A Function publishes the key set.
type Function struct {
	Keys *token.Keys
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "GET /.well-known/jwks.json", Handler: endpoint.Raw(f.serve)},
	}
}

// serve sends the set (RFC 7517 section 8.5 names the type), or says that it is
// the one that the verifier has. Verifiers may keep it for an hour; so long must
// a new key be published before it signs.
func (f *Function) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	if set := f.Keys.JWKS(); !endpoint.NotModified(w, r, endpoint.ETag(set)) {
		endpoint.WriteBytes(w, r, http.StatusOK, "application/jwk-set+json", set)
	}
	return nil
}
