package nextcloudtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	davXML      = "application/xml; charset=utf-8"
	davFeatures = "1, 3, extended-mkcol, access-control, calendarserver-principal-property-search, " +
		"nextcloud-checksum-update, nc-calendar-search, nc-enable-birthday-calendar"
	sabre = `Sabre\DAV\Exception\`
)

// The messages of rejected logins: one sentence for each login method that the
// server tried.
const (
	davWrong = "No public access to this resource., Username or password was incorrect, " +
		"No 'Authorization: Bearer' header found. Either the client didn't send one, or the server is mis-configured, " +
		"Username or password was incorrect"
	davNobody = "No public access to this resource., " +
		"No 'Authorization: Basic' header found. Either the client didn't send one, or the server is misconfigured, " +
		"No 'Authorization: Bearer' header found. Either the client didn't send one, or the server is mis-configured, " +
		"No 'Authorization: Basic' header found. Either the client didn't send one, or the server is misconfigured"
	davBearer = "No public access to this resource., " +
		"No 'Authorization: Basic' header found. Either the client didn't send one, or the server is misconfigured, " +
		"Bearer token was incorrect, " +
		"No 'Authorization: Basic' header found. Either the client didn't send one, or the server is misconfigured"
)

// serveDAV answers below /remote.php/dav/.
func (s *Server) serveDAV(w http.ResponseWriter, r *http.Request, path string) {
	s.mu.Lock()
	maintenance := s.maintenance
	s.mu.Unlock()
	if maintenance {
		davError(w, http.StatusServiceUnavailable, `OCA\DAV\Exception\ServerMaintenanceMode`,
			"System is in maintenance mode.")
		return
	}
	who, outcome := s.login(r, true)
	switch outcome {
	case loginDone:
		switch kind, below, _ := strings.Cut(path, "/"); kind {
		case "files":
			s.serveFolder(w, r, below, who.account)
		case "uploads":
			s.serveUploads(w, r, below, who.account)
		default:
			refuse(w, r, &davFault{404, "NotFound", "File not found: " + kind + " in 'root'"})
		}
	case loginLocked:
		answer(w, http.StatusTooManyRequests, davXML, tooManyRequests)
	case loginDisabled:
		davError(w, http.StatusServiceUnavailable, sabre+"ServiceUnavailable",
			`OC\User\LoginException: User disabled`)
	default:
		message := davWrong
		switch kind, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); {
		case strings.EqualFold(kind, "Bearer"):
			message = davBearer
		case outcome == loginNone:
			message = davNobody
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="Nextcloud", charset="UTF-8"`)
		davError(w, http.StatusUnauthorized, sabre+"NotAuthenticated", message)
	}
}

const tooManyRequests = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" +
	"<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\" xmlns:o=\"http://owncloud.org/ns\">\n" +
	"  <s:exception>OCA\\DAV\\Connector\\Sabre\\Exception\\TooManyRequests</s:exception>\n" +
	"  <s:message/>\n  <o:hint xmlns:o=\"o:\">too many requests</o:hint>\n</d:error>\n"

func davError(w http.ResponseWriter, status int, class, message string) {
	answer(w, status, davXML, fmt.Sprintf("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"+
		"<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n"+
		"  <s:exception>%s</s:exception>\n  <s:message>%s</s:message>\n</d:error>\n", class, escapeXML(message)))
}

// serveFolder answers for a caller who is logged in. The folder of another user
// looks empty rather than forbidden.
func (s *Server) serveFolder(w http.ResponseWriter, r *http.Request, path string, who *account) {
	w.Header().Set("DAV", davFeatures)
	segment, below, _ := strings.Cut(path, "/")
	user, err := url.QueryUnescape(segment) // a plus is a blank here
	if err != nil {
		webServerNotFound(w)
		return
	}
	names, f := split(below)
	s.mu.Lock()
	owner := s.find(user)
	c := &davCall{Server: s, w: w, r: r, who: who, root: s.home(who), names: names}
	s.mu.Unlock()
	switch {
	case owner == nil:
		f = &davFault{404, "NotFound", "Principal with name " + user + " not found"}
	case f != nil:
	case owner == who:
		c.serve()
		return
	case r.Method == "PROPFIND" && len(names) == 0:
		c.root = &node{children: map[string]*node{}}
		f = c.propfindForeign()
	case r.Method == "PROPFIND", r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodDelete:
		f = notFound(names)
	default:
		f = &davFault{403, "Forbidden", "Permission denied to create file"}
	}
	if f != nil {
		refuse(w, r, f)
	}
}

// propfindForeign answers PROPFIND of the root of another user.
func (c *davCall) propfindForeign() *davFault {
	wanted, err := wantedProps(c.r.Body)
	if err != nil {
		return &davFault{400, "BadRequest", "The XML is not well-formed"}
	}
	known := map[string]string{"d:resourcetype": "<d:collection/>"}
	answer(c.w, http.StatusMultiStatus, davXML, multistatus+"<d:response><d:href>"+
		hrefPath(strings.TrimRight(c.r.URL.EscapedPath(), "/"))+"/</d:href>"+
		propstats(known, wanted, c.r.ContentLength != 0)+"</d:response></d:multistatus>\n")
	return nil
}

// href writes a segment as Nextcloud does: lower-case hex, the at sign and the
// colon as they are.
func href(segment string) string {
	plain, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return hrefOf(plain)
}

// hrefOf is href of a name that is not escaped.
func hrefOf(plain string) string {
	var b strings.Builder
	for _, c := range []byte(plain) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.~@:", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}
