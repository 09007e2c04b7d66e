package endpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// ETag returns a strong entity tag for what is sent (RFC 9110 section 8.8.3): the
// same for the same bytes, whichever process sends them.
func ETag(body []byte) string {
	const size = 16 // bytes; 128 bits of a hash
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:size]) + `"`
}

// NotModified sets the entity tag, one that [ETag] made, and reports whether it has
// answered with 304, as the client has what the tag names (RFC 9110 section
// 13.1.2). Headers about the content are set before, as 304 repeats them.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	// Tags hold no comma.
	for candidate := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}
