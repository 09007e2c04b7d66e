package nextcloudtest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A Fault answers a request in place of the server, next. It may call next before
// or after it fails, or not at all.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Fail makes the server call choose for every request from now on. The fault that
// choose returns answers; nil means no fault. Fail(nil) ends it. choose must be
// safe for concurrent use.
func (s *Server) Fail(choose func(*http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = choose
}

// Times returns a chooser for [Server.Fail] that fails the first n requests
// that match; a nil match is every request.
func Times(n int, fault Fault, match func(*http.Request) bool) func(*http.Request) Fault {
	var left atomic.Int64
	left.Store(int64(n))
	return func(r *http.Request) Fault {
		if (match != nil && !match(r)) || left.Add(-1) < 0 {
			return nil
		}
		return fault
	}
}

// On matches requests of one method whose path ends in suffix.
func On(method, suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && strings.HasSuffix(r.URL.Path, suffix)
	}
}

// Slow waits until the channel is closed or the client is gone, and then
// continues: a client that gives up does not stop the server.
func Slow(until <-chan struct{}) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-until:
		case <-r.Context().Done():
		}
		next.ServeHTTP(w, r)
	}
}

// Crash answers 500 without any effect.
func Crash() Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) { render(w, r, versionOf(r), crashed()) }
}

// CrashAfter answers 500 although the call had its effect.
func CrashAfter() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&buffer{}, r)
		render(w, r, versionOf(r), crashed())
	}
}

// Maintenance answers one call as [Server.SetMaintenance] makes all calls.
func Maintenance() Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("X-Nextcloud-Maintenance-Mode", "1")
		render(w, r, versionOf(r), inMaintenance())
	}
}

func versionOf(r *http.Request) int {
	if strings.Contains(r.URL.Path, "/ocs/v1.php/") {
		return 1
	}
	return 2
}

// Answer answers with that status, content type and body, without any effect.
// A positive retryAfter is sent along, in seconds.
func Answer(status int, contentType, body string, retryAfter time.Duration) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		}
		answer(w, status, contentType, body)
	}
}

// CutBefore breaks the connection without any effect.
func CutBefore() Fault {
	return func(http.ResponseWriter, *http.Request, http.Handler) { cut() }
}

// CutAfter breaks the connection after the call had its effect, before the first
// byte of the response.
func CutAfter() Fault {
	return func(_ http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&buffer{}, r)
		cut()
	}
}

// CutInside breaks the connection in the middle of the answer's body.
func CutInside() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		var b buffer
		next.ServeHTTP(&b, r)
		maps.Copy(w.Header(), b.Header())
		w.Header().Set("Content-Length", strconv.Itoa(b.body.Len()))
		w.WriteHeader(b.status)
		_, _ = w.Write(b.body.Bytes()[:b.body.Len()/2])
		_ = http.NewResponseController(w).Flush() // where it cannot, the cut comes earlier
		cut()
	}
}

// Unmeasured answers as a server that cannot measure the storage of accounts,
// with an empty list in place of the quota.
func Unmeasured() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		var b buffer
		next.ServeHTTP(&b, r)
		maps.Copy(w.Header(), b.Header())
		body := storageObject.ReplaceAll(b.body.Bytes(), []byte(`"quota":[]`))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(b.status)
		_, _ = w.Write(body)
	}
}

var storageObject = regexp.MustCompile(`"quota":\{[^}]*\}`)

// Corrupt changes a byte of the body on its way in, as a broken line does.
func Corrupt() Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Body = &corrupting{ReadCloser: r.Body}
		next.ServeHTTP(w, r)
	}
}

type corrupting struct {
	io.ReadCloser

	done bool
}

// Read changes the first byte.
func (c *corrupting) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if n > 0 && !c.done {
		p[0] ^= 1
		c.done = true
	}
	return n, err
}

// CutUpload breaks the connection when n bytes of the body have arrived.
func CutUpload(n int64) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, n), broken{}))
		next.ServeHTTP(&buffer{}, r)
		cut()
	}
}

type broken struct{}

// Read fails.
func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// cut closes the connection in the only way that net/http offers for both HTTP
// versions.
func cut() { panic(http.ErrAbortHandler) }

// A buffer holds a response back.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header to be sent.
func (b *buffer) Header() http.Header {
	if b.header == nil {
		b.header = http.Header{}
	}
	return b.header
}

// WriteHeader keeps the status.
func (b *buffer) WriteHeader(status int) { b.status = status }

// Write keeps a part of the body.
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }
