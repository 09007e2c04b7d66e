package jwks_test

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/functions/jwks"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/token"
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

func TestJWKS_SupportsConditionalRequests(t *testing.T) {
	t.Parallel()
	g := functionstest.New(t, storetest.SQLite(t))
	get := func(ifNoneMatch string, status int) functionstest.Answer {
		t.Helper()
		return g.Do("GET", "/.well-known/jwks.json", nil, functionstest.Header("If-None-Match", ifNoneMatch)).Want(status, "")
	}
	tag := get(`"another"`, http.StatusOK).Header.Get("ETag")
	if again := get("", http.StatusOK).Header.Get("ETag"); again != tag || len(tag) < 20 || strings.HasPrefix(tag, "W/") {
		t.Errorf("got tags %s and %s, want one strong tag", tag, again)
	}
	for _, has := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		a := get(has, http.StatusNotModified)
		if a.Body != "" || a.Header.Get("ETag") != tag || a.Header.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("If-None-Match %s: got %q %v", has, a.Body, a.Header)
		}
	}

	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := token.NewKeys(token.Options{Algorithm: "EdDSA", Private: private})
	if err != nil {
		t.Fatal(err)
	}
	g.Handle(endpoint.New(g.Settings(), (&jwks.Function{Keys: other}).Routes()...))
	if a := get(tag, http.StatusOK); a.Header.Get("ETag") == tag || a.Body != string(other.JWKS()) {
		t.Errorf("after a change of keys: got tag %s, or no body: %s", a.Header.Get("ETag"), a.Body)
	}
}
