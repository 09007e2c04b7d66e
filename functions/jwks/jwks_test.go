package jwks_test

import (
	"net/http"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestJWKS_IsEmptyAndCacheableUnderHS256(t *testing.T) {
	t.Parallel()
	a := functionstest.New(t, storetest.SQLite(t)).Do("GET", "/.well-known/jwks.json", nil).Want(http.StatusOK, "")
	if a.Body != `{"keys":[]}` || a.Header.Get("Content-Type") != "application/jwk-set+json" ||
		a.Header.Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("got %s %v", a.Body, a.Header)
	}
}
