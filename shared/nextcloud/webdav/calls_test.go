package webdav_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

// TestCalls lists the requests of each kind of transfer.
func TestCalls(t *testing.T) {
	t.Parallel()
	folder, seen := countedFolder(t, 1)
	put := func(path string, size int, u webdav.Upload) func() error {
		return func() error {
			u.Body, u.Size = strings.NewReader(strings.Repeat("x", size)), int64(size)
			_, err := folder.Put(t.Context(), at(t, path), u)
			return err
		}
	}
	get := func(path string) func() error {
		return func() error {
			d, err := folder.Get(t.Context(), at(t, path), http.Header{})
			if err == nil {
				err = d.Body.Close()
			}
			return err
		}
	}
	chunks := "MKCOL MOVE PROPFIND PUT"
	for _, tt := range []struct {
		name string
		do   func() error
		want string
		fail error
	}{
		{"a small new file", put("small", 1000, webdav.Upload{}), "PUT", nil},
		{"an empty one", put("empty", 0, webdav.Upload{}), "PUT", nil},
		{"one that must be new", put("new", 1000, webdav.Upload{IfNoneMatch: "*"}), "PUT", nil},
		{"again", put("new", 1000, webdav.Upload{IfNoneMatch: "*"}), "PUT", webdav.ErrPrecondition},
		{"a download", get("small"), "GET", nil},
		{"a small file replaced", put("small", 2000, webdav.Upload{}), chunks + " PUT", nil},
		{"and again", put("small", 3000, webdav.Upload{}), chunks, nil},
		{"one that must exist", put("new", 2000, webdav.Upload{IfMatch: "*"}), chunks, nil},
		{"the largest small file", put("largest", 256<<10, webdav.Upload{}), "PUT", nil},
		{"a larger one", put("larger", 256<<10+1, webdav.Upload{}), "PROPFIND PUT", nil},
		{"a large new file", put("large", 9<<20, webdav.Upload{}), "PROPFIND PUT", nil},
		{"a large file replaced", put("large", 9<<20, webdav.Upload{}), "GET MKCOL MOVE PROPFIND PUT PUT", nil},
	} {
		seen.take()
		if err := tt.do(); tt.fail == nil {
			must(t, err)
		} else {
			wantError(t, err, tt.fail)
		}
		if diff := cmp.Diff(tt.want, seen.take()); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", tt.name, diff)
		}
	}
}

const clients = 16

// TestCalls_ReuseConnections: concurrent transfers keep their connections, also after
// responses that are errors. They need about 40. net/http gives one up if the machine takes
// more than 50 ms to write a request. If only 8 are kept, there are about 650.
func TestCalls_ReuseConnections(t *testing.T) {
	t.Parallel()
	const most = 120
	folder, seen := countedFolder(t, clients)
	atOnce := func(do func(i int)) {
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() { do(i) })
		}
		all.Wait()
	}
	for range 20 {
		atOnce(func(i int) {
			if _, err := folder.Put(t.Context(), at(t, fmt.Sprint("file", i)), upload("content")); err != nil {
				t.Error(err)
			}
		})
		atOnce(func(int) {
			if _, err := folder.Stat(t.Context(), at(t, "missing")); err == nil {
				t.Error("got a file that does not exist")
			}
		})
	}
	if n := seen.connections.Load(); n > most {
		t.Errorf("%d connections were opened for %d concurrent clients, which send up to two requests at once", n, clients)
	}
}

// A traffic is what a server has seen.
type traffic struct {
	connections atomic.Int64

	mu       sync.Mutex
	requests []string // methods
}

func (s *traffic) add(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, method)
}

// take returns the methods of the requests since the last call, sorted.
func (s *traffic) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.requests = nil }()
	slices.Sort(s.requests) // some are concurrent
	return strings.Join(s.requests, " ")
}

// countedFolder returns a user's folder on a server that counts, and whose errors arrive in
// two parts. Requests come in groups.
func countedFolder(t *testing.T, together int) (*webdav.Folder, *traffic) {
	t.Helper()
	const user, password = "ada", secret.String("her password")
	cloud, seen := nextcloudtest.New(nextcloudtest.Options{}), &traffic{}
	t.Cleanup(func() { must(t, cloud.Close()) })
	cloud.AddUser(user, password, "")
	server := httptest.NewUnstartedServer(nextcloudtest.Together(together, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add(r.Method)
		rest := &statusWriter{ResponseWriter: w}
		cloud.ServeHTTP(rest, r)
		if rest.status >= http.StatusBadRequest {
			must(t, http.NewResponseController(w).Flush())
			_, err := w.Write([]byte("\n"))
			must(t, err)
		}
	})))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			seen.connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	must(t, err)
	client := webdav.New(webdav.Config{URL: u, IdleConns: 2 * clients})
	t.Cleanup(client.Close)
	return client.Folder(user, password), seen
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
