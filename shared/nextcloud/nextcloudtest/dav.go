package nextcloudtest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
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

// What the server says to those it does not let in, one sentence for each way
// to log in that it tried.
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

// serveFiles answers below /remote.php/dav/files/.
func (s *Server) serveFiles(w http.ResponseWriter, r *http.Request, path string) {
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
		s.serveFolder(w, r, path, who.account)
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
	s.mu.Lock()
	owner := s.find(user)
	s.mu.Unlock()
	switch {
	case owner == nil:
		davError(w, http.StatusNotFound, sabre+"NotFound", "Principal with name "+user+" not found")
	case below == "" && r.Method == "PROPFIND":
		s.propfind(w, r, segment, owner, who)
	case owner == who && s.opts.Files != nil:
		s.opts.Files(who.id).ServeHTTP(w, r)
	case r.Method == "PROPFIND" || r.Method == http.MethodGet || r.Method == http.MethodHead:
		davError(w, http.StatusNotFound, sabre+"NotFound", "File with name //"+below+" could not be located")
	default:
		davError(w, http.StatusNotImplemented, sabre+"NotImplemented", "There was no plugin in the system")
	}
}

// propfind answers PROPFIND of a root, which has no children here.
func (s *Server) propfind(w http.ResponseWriter, r *http.Request, segment string, owner, who *account) {
	wanted, err := wantedProps(r.Body)
	if err != nil {
		davError(w, http.StatusBadRequest, sabre+"BadRequest", "The XML is not well-formed")
		return
	}
	s.mu.Lock()
	known := map[string]string{"d:resourcetype": "<d:collection/>"}
	if owner == who {
		s.rootProps(known, owner)
	}
	s.mu.Unlock()
	var found, missing strings.Builder
	for _, name := range wanted {
		value, has := known[name]
		switch {
		case has:
			fmt.Fprintf(&found, "<%s>%s</%s>", name, value, name)
		case r.ContentLength != 0:
			fmt.Fprintf(&missing, "<%s/>", name)
		}
	}
	body := propstat(found.String(), "200 OK")
	if missing.Len() > 0 {
		body += propstat(missing.String(), "404 Not Found")
	}
	answer(w, http.StatusMultiStatus, davXML, "<?xml version=\"1.0\"?>\n"+
		`<d:multistatus xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" `+
		`xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:response><d:href>`+
		s.opts.BasePath+"/remote.php/dav/files/"+href(segment)+"/</d:href>"+body+"</d:response></d:multistatus>\n")
}

func propstat(props, status string) string {
	return "<d:propstat><d:prop>" + props + "</d:prop><d:status>HTTP/1.1 " + status + "</d:status></d:propstat>"
}

// rootProps adds the properties that only the owner sees.
func (s *Server) rootProps(known map[string]string, a *account) {
	sum := fnv.New32a()
	_, _ = io.WriteString(sum, a.id) // a hash takes everything
	number := sum.Sum32() % 1_000_000
	for name, value := range map[string]string{
		"d:getlastmodified":       a.lastLogin.UTC().Format(http.TimeFormat),
		"d:getetag":               fmt.Sprintf("&quot;%013x&quot;", uint64(a.used)<<20|uint64(number)),
		"d:quota-used-bytes":      fmt.Sprint(a.used),
		"d:quota-available-bytes": s.availableBytes(a),
		"oc:fileid":               fmt.Sprint(number),
		"oc:id":                   fmt.Sprintf("%08doc1bbel1r9q0", number),
		"oc:permissions":          "RGDNVCK",
		"oc:size":                 fmt.Sprint(a.used),
		"nc:has-preview":          "false",
	} {
		known[name] = value
	}
}

// wantedProps reads the properties that a PROPFIND asks for (RFC 4918 section
// 14.20); without a body it is the few that Nextcloud gives by itself.
func wantedProps(body io.Reader) ([]string, error) {
	var doc struct {
		XMLName xml.Name `xml:"DAV: propfind"`
		Prop    struct {
			Names []struct{ XMLName xml.Name } `xml:",any"`
		} `xml:"DAV: prop"`
	}
	switch err := xml.NewDecoder(body).Decode(&doc); {
	case errors.Is(err, io.EOF):
		return []string{
			"d:getlastmodified", "d:resourcetype", "d:quota-used-bytes", "d:quota-available-bytes", "d:getetag",
		}, nil
	case err != nil:
		return nil, err
	}
	prefix := map[string]string{"DAV:": "d:", "http://owncloud.org/ns": "oc:", "http://nextcloud.org/ns": "nc:"}
	var names []string
	for _, n := range doc.Prop.Names {
		if p, ok := prefix[n.XMLName.Space]; ok {
			names = append(names, p+n.XMLName.Local)
		}
	}
	return names, nil
}

// href writes a segment as Nextcloud does: lower-case hex, the at sign and the
// colon as they are.
func href(segment string) string {
	plain, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
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
