package faas

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An answer is what an event of any front can hold of a response.
type answer struct {
	status int
	header http.Header
	body   string
	base64 bool // the body is base64, as JSON holds text only
}

// A recorder is a [http.ResponseWriter] that keeps the answer, with the rules
// of net/http's server: the first final status wins, headers count up to it,
// and a handler that says nothing says 200.
type recorder struct {
	method string
	header http.Header // the handler's, until the status is out
	sent   http.Header // as it was then; nil before
	status int
	body   []byte
}

func newRecorder(method string) *recorder {
	return &recorder{method: method, header: http.Header{}}
}

// Header returns the headers to be.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader settles status and headers, once. Informational statuses cannot
// be sent through Lambda; one that is no status at all becomes 500.
func (w *recorder) WriteHeader(status int) {
	if w.sent != nil || status >= 100 && status < 200 {
		return
	}
	if status < 100 || status > 999 {
		status = http.StatusInternalServerError
	}
	w.status, w.sent = status, w.header.Clone()
	if w.sent == nil {
		w.sent = http.Header{}
	}
}

// Write adds to the body. It fails for a status that has none.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.body = append(w.body, b...)
	return len(b), nil
}

// Flush settles the headers; there is nobody to send them to yet.
func (w *recorder) Flush() { w.WriteHeader(http.StatusOK) }

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// finish returns the answer, its headers completed as net/http does for one
// whose whole body is known.
func (w *recorder) finish() answer {
	w.WriteHeader(http.StatusOK)
	h := w.sent
	for name, lines := range h {
		// They are about a connection, and ours ends at the front (RFC 9110
		// section 7.6.1); what is no header name would fail the whole answer.
		if hopByHop(name) || !isToken(name) || len(lines) == 0 && name != "Content-Type" {
			delete(h, name)
			continue
		}
		for i, line := range lines {
			lines[i] = oneLine(line)
		}
	}
	_, typed := h["Content-Type"]
	if !typed && len(w.body) > 0 && h.Get("Content-Encoding") == "" {
		h.Set("Content-Type", http.DetectContentType(w.body))
	}
	if typed && len(h["Content-Type"]) == 0 {
		delete(h, "Content-Type") // nil: the handler wants none
	}
	head := w.method == http.MethodHead
	if bodyAllowed(w.status) && (!head || len(w.body) > 0 && h.Get("Content-Length") == "") {
		h.Set("Content-Length", strconv.Itoa(len(w.body)))
	}
	a := answer{status: w.status, header: h}
	switch {
	case head:
	case utf8.Valid(w.body):
		a.body = string(w.body)
	default:
		a.body, a.base64 = base64.StdEncoding.EncodeToString(w.body), true
	}
	return a
}

func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// isToken reports whether s is a header name (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
			!strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

// oneLine takes from a header value what would end it, so that no handler can
// be made to write a header of its client's.
func oneLine(value string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == '\r' || c == '\n' || c == 0 {
			return ' '
		}
		return c
	}, value))
}
