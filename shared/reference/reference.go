// Package reference serves the description of the interface: the OpenAPI
// document for programs, and a page made of it for people. The page needs no
// script and nothing from elsewhere.
//
// The binary alone mounts it. Package referencetest holds requests and answers
// against the same document.
package reference

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"github.com/voiceassist/gateway/shared/endpoint"
)

// Routes returns what the package serves. The page is made here, once.
func Routes() endpoint.Routes {
	page, policy := render(load())
	return endpoint.Routes{
		{Pattern: "GET /openapi.json", Handler: file("application/json", text(), "")},
		{Pattern: "GET /docs", Handler: file("text/html; charset=utf-8", page, policy)},
	}
}

// Operations returns every operation of the document as "METHOD /path", in its
// order.
func Operations() []string {
	all := load().operations()
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.Method + " " + o.Path
	}
	return names
}

// caching lets clients keep an answer for five minutes, and after that ask
// whether it is still the same.
const caching = "public, max-age=300"

// file serves text that never changes while the program runs, under a content
// security policy of its own unless that is "".
func file(contentType, text, policy string) http.Handler {
	body := []byte(text)
	tag := endpoint.Tag(body)
	return endpoint.Raw(func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Cache-Control", caching)
		if policy != "" {
			h.Set("Content-Security-Policy", policy)
		}
		if endpoint.Unchanged(w, r, tag) {
			return nil
		}
		endpoint.WriteBytes(w, r, http.StatusOK, contentType, body)
		return nil
	})
}

// digest returns the SHA-256 of text in base64.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
