package faas

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// answer returns what handle writes, as a response in the form of the front.
func (via front) answer(q request, handle func(http.ResponseWriter)) ([]byte, error) {
	head := q.HTTPMethod == http.MethodHead
	v, err := via.gather(q, func(to http.ResponseWriter) {
		w := &writer{to: to, head: head, header: http.Header{}}
		handle(w)
		w.finish()
	})
	if err != nil {
		return nil, fmt.Errorf("gather the answer: %w", err)
	}
	return encode(v)
}

// A writer gives the bridge's ResponseWriter the rules of net/http's server: the first
// final status wins, headers that are set later have no effect, and the default status is
// 200.
type writer struct {
	to     http.ResponseWriter
	head   bool        // the request's method is HEAD
	header http.Header // set by the handler; sent with the status
	status int         // 0 until it is sent
	typed  bool        // the handler set Content-Type
	sniff  bool        // finish detects the Content-Type
	start  []byte      // of the body, to detect its type
	length int         // of the body
}

// sniffLength is how much of a body [http.DetectContentType] looks at.
const sniffLength = 512

// Header returns the headers that WriteHeader will send.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader sends status and headers, once. Informational statuses are ignored, because
// Lambda cannot send them; an invalid status becomes 500.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 || status >= 100 && status < 200 {
		return
	}
	if status < 100 || status > 999 {
		status = http.StatusInternalServerError
	}
	w.status = status
	w.to.WriteHeader(status)
	for name, lines := range w.header {
		// Hop-by-hop headers concern a connection, and ours ends at the front (RFC 9110
		// section 7.6.1). An invalid header name would fail the whole response.
		if hopByHop(name) || !isToken(name) {
			continue
		}
		for _, line := range lines {
			w.to.Header()[name] = append(w.to.Header()[name], oneLine(line))
		}
	}
	types, set := w.header["Content-Type"]
	w.typed = len(types) > 0 // nil suppresses Content-Type
	w.sniff = !set && w.header.Get("Content-Encoding") == ""
}

// Write appends to the body. It fails if the status allows no body.
func (w *writer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.length += len(b)
	if w.sniff {
		w.start = append(w.start, b[:min(len(b), sniffLength-len(w.start))]...)
	}
	if w.head {
		return len(b), nil
	}
	return w.to.Write(b)
}

// Flush fixes the status and the headers. Nothing is sent before the handler returns.
func (w *writer) Flush() { w.WriteHeader(http.StatusOK) }

func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// finish completes the headers as net/http does if the whole body is known.
func (w *writer) finish() {
	w.WriteHeader(http.StatusOK)
	h := w.to.Header()
	switch {
	case len(w.start) > 0:
		h.Set("Content-Type", http.DetectContentType(w.start))
	case !w.typed:
		h.Del("Content-Type") // the bridge guessed one; net/http would not
	}
	if bodyAllowed(w.status) && (!w.head || w.length > 0 && h.Get("Content-Length") == "") {
		h.Set("Content-Length", strconv.Itoa(w.length))
	}
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

// oneLine removes the characters that would end a header value, so that a client cannot
// inject a header through a handler.
func oneLine(value string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == '\r' || c == '\n' || c == 0 {
			return ' '
		}
		return c
	}, value))
}
