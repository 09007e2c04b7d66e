// Package correlation reads the ID by which a client finds its request in our
// logs.
package correlation

import (
	"net/http"
	"strings"
)

// Header carries the ID in requests and responses.
const Header = "X-Correlation-ID"

const maxLength = 128 // bytes

// ID returns the ID that a client sent, or "" if there is none that may appear in
// our logs: 1 to 128 characters of A-Z a-z 0-9 . _ -
func ID(h http.Header) string {
	id := h.Get(Header)
	if len(id) > maxLength || strings.ContainsFunc(id, forbidden) {
		return ""
	}
	return id
}

func forbidden(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
}
