// Package nextcloudtest is a Nextcloud server in memory: it answers the
// provisioning calls, status.php, and each user's files over WebDAV with chunked
// uploads, as a real Nextcloud 27 does. The contents of files are on disk. A test
// replays exchanges that were recorded from a real one. Tests and the development
// server use it, so it imports neither testing nor net/http/httptest.
//
// Begin with [New]; [Server.Fail] injects faults. replay_test.go lists the
// recorded exchanges that it does not support.
package nextcloudtest

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Options configure a [Server]. The zero value is usable: a server at the root of
// its host whose administrator has no password and cannot log in.
type Options struct {
	AdminUser     string        // "" is "admin"
	AdminPassword secret.String //
	BasePath      string        // the folder of the installation, such as "/nextcloud"; "" is the root
	Groups        []string      // groups that exist besides "admin"

	// Now is the clock; nil is [time.Now].
	Now func() time.Time
	// Delay waits as long as the server delays requests from an address with failed logins:
	// up to 25 seconds. nil does not wait.
	Delay func(context.Context, time.Duration)
	// Dir is where the server creates a folder for files; "" is the system's folder
	// for temporary files. [Server.Close] removes it.
	Dir string
}

// A Server is an [http.Handler] that is safe for concurrent use.
type Server struct {
	opts Options

	mu           sync.Mutex
	accounts     map[string]*account // by lower-case id
	groups       map[string]bool
	tokens       map[string]*token // app passwords, by themselves
	failedLogins []failedLogin
	edits        map[string][]time.Time // by lower-case id of the caller
	calls        []Call
	maintenance  bool
	allowListed  bool
	keepTokens   bool // auth.storeCryptedPassword=false: new tokens outlive password changes
	defaultQuota string
	fail         func(*http.Request) Fault
	dir          string         // for contents; "" until it is needed
	lastID       int            // of a node
	lastTag      int            // of a folder
	uploading    map[*node]bool // new files that are being uploaded
}

// New returns a server with the administrator as its only user.
func New(o Options) *Server {
	if o.AdminUser == "" {
		o.AdminUser = "admin"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Delay == nil {
		o.Delay = func(context.Context, time.Duration) {}
	}
	o.BasePath = strings.TrimRight(o.BasePath, "/")
	s := &Server{
		opts:         o,
		accounts:     map[string]*account{},
		groups:       map[string]bool{"admin": true},
		tokens:       map[string]*token{},
		edits:        map[string][]time.Time{},
		defaultQuota: quotaNone,
		uploading:    map[*node]bool{},
	}
	for _, g := range o.Groups {
		s.groups[g] = true
	}
	admin := newAccount(o.AdminUser, o.AdminPassword.Reveal())
	admin.admin, admin.groups = true, []string{"admin"}
	s.accounts[strings.ToLower(admin.id)] = admin
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	seen := &recorder{ResponseWriter: w}
	defer func() { s.record(r, seen.status) }() // also when the connection is cut
	if fail != nil {
		if fault := fail(r); fault != nil {
			fault(seen, r, http.HandlerFunc(s.serve))
			return
		}
	}
	s.serve(seen, r)
}

// serve dispatches by entry point, as the web server in front of PHP does.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), s.opts.BasePath)
	if !ok || strings.Contains(strings.ToLower(path), "%2f") || strings.Contains(path, "%00") {
		webServerNotFound(w)
		return
	}
	switch {
	case path == "/status.php":
		s.serveStatus(w)
	case strings.HasPrefix(path, "/ocs/v1.php/"):
		s.serveOCS(w, r, 1, strings.TrimPrefix(path, "/ocs/v1.php/"))
	case strings.HasPrefix(path, "/ocs/v2.php/"):
		s.serveOCS(w, r, 2, strings.TrimPrefix(path, "/ocs/v2.php/"))
	case strings.HasPrefix(path, "/remote.php/dav/"):
		s.serveDAV(w, r, strings.TrimPrefix(path, "/remote.php/dav/"))
	default:
		webServerNotFound(w)
	}
}

// webServerNotFound answers as the web server in front of Nextcloud does, also to
// an encoded slash.
func webServerNotFound(w http.ResponseWriter) {
	answer(w, http.StatusNotFound, "text/html; charset=iso-8859-1",
		"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n"+
			"<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n"+
			"<p>The requested URL was not found on this server.</p>\n</body></html>\n")
}

func (s *Server) serveStatus(w http.ResponseWriter) {
	s.mu.Lock()
	maintenance := s.maintenance
	s.mu.Unlock()
	doc := object{
		{"installed", true},
		{"maintenance", maintenance},
		{"needsDbUpgrade", false},
		{"version", "27.1.0.7"},
		{"versionstring", "27.1.0"},
		{"edition", ""},
		{"productname", "Nextcloud"},
		{"extendedSupport", false},
	}
	answer(w, http.StatusOK, "application/json", doc.json())
}

func answer(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may be gone
}

// address returns the address that failed logins are counted for: the peer of the connection.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// A recorder remembers the status for [Server.Calls].
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
