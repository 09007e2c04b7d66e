// Package jwks is the function behind GET /.well-known/jwks.json, the public
// keys with which other services verify access tokens.
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

// Routes returns the routes of the function.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "GET /.well-known/jwks.json", Handler: endpoint.Raw(f.serve)},
	}
}

// serve sends the key set (RFC 7517 section 8.5 defines the media type), or 304
// if the verifier has it. Verifiers may cache it for an hour, so a new key must
// be published for as long before it signs.
func (f *Function) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	if set := f.Keys.JWKS(); !endpoint.NotModified(w, r, endpoint.ETag(set)) {
		endpoint.WriteBytes(w, r, http.StatusOK, "application/jwk-set+json", set)
	}
	return nil
}
