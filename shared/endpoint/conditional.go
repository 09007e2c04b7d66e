package endpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ETag returns a strong entity tag for body (RFC 9110 section 8.8.3). All
// processes compute the same tag for the same bytes.
func ETag(body []byte) string {
	const size = 16 // bytes; 128 bits of a hash
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:size]) + `"`
}

// NotModified sets the entity tag, which [ETag] returned, and reports whether
// it has responded with 304 because the client has that content (RFC 9110
// section 13.1.2). Set the headers that describe the content before: a 304
// repeats them.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	// A tag contains no comma.
	for candidate := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

// File returns a handler of a file that is the same for everybody. Clients may keep it for
// age, and revalidate it afterwards (RFC 9111 section 4.3).
func File(contentType string, content []byte, age time.Duration) http.Handler {
	tag := ETag(content)
	keep := "public, max-age=" + strconv.Itoa(int(age.Seconds()))
	return Raw(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", keep)
		if !NotModified(w, r, tag) {
			WriteBytes(w, r, http.StatusOK, contentType, content)
		}
		return nil
	})
}
