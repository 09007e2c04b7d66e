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
	"strings"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// Routes returns what the package serves. The page is made here, once.
func Routes() endpoint.Routes {
	page, policy := render(load())
	return endpoint.Routes{
		{Pattern: "GET /openapi.json", Handler: file("application/json", docs.OpenAPI(), "")},
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
	tag := `"` + digest(text)[:22] + `"` // 132 bits
	body := []byte(text)
	return endpoint.Raw(func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("ETag", tag)
		h.Set("Cache-Control", caching)
		if policy != "" {
			h.Set("Content-Security-Policy", policy)
		}
		if known(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		endpoint.WriteBytes(w, r, http.StatusOK, contentType, body)
		return nil
	})
}

// known reports whether the client has what tag names (RFC 9110 section
// 13.1.2). Our tags hold no comma.
func known(ifNoneMatch []string, tag string) bool {
	for candidate := range strings.SplitSeq(strings.Join(ifNoneMatch, ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}

// digest returns the SHA-256 of text in base64.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
