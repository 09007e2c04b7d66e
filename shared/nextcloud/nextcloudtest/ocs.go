package nextcloudtest

import (
	"net/http"
	"net/url"
	"strings"
)

// A reply is the answer of one OCS call, with the codes of v2.
type reply struct {
	code    int
	message string
	data    any  // nil is the empty list
	bare    bool // not from a controller: another content type, no paging in v1
}

const (
	notSubAdmin = "Logged in user must be at least a sub admin"
	noSuchRoute = "Invalid query, please check the syntax. API specifications are here: " +
		"http://www.freedesktop.org/wiki/Specifications/open-collaboration-services.\n"
)

func ok(data any) reply                      { return reply{code: http.StatusOK, message: "OK", data: data} }
func refused(code int, message string) reply { return reply{code: code, message: message} }
func crashed() reply                         { return reply{code: 500, message: "Internal Server Error\n", bare: true} }

func inMaintenance() reply { return reply{code: 503, message: "Service unavailable", bare: true} }

// serveOCS answers a call of the given version below /ocs/v*.php/.
func (s *Server) serveOCS(w http.ResponseWriter, r *http.Request, version int, path string) {
	s.mu.Lock()
	maintenance := s.maintenance
	s.mu.Unlock()
	if maintenance {
		w.Header().Set("X-Nextcloud-Maintenance-Mode", "1")
		render(w, r, version, inMaintenance())
		return
	}
	who, outcome := s.login(r, false)
	switch outcome {
	case loginLocked:
		render(w, r, version, crashed())
		return
	case loginRefused, loginDisabled:
		// Always XML, because it is written before the format is read.
		w.Header().Set("WWW-Authenticate", `Basic realm="Authorisation Required"`)
		doc := object{{"ocs", object{
			{"meta", object{{"status", "failure"}, {"statuscode", 997}, {"message", "Unauthorised"}}},
			{"data", []any{}},
		}}}
		answer(w, http.StatusUnauthorized, "text/xml; charset=UTF-8", doc.xml())
		return
	}
	if r.Header.Get("OCS-APIRequest") == "" {
		answer(w, http.StatusPreconditionFailed, "application/json; charset=utf-8", `{"message":"CSRF check failed"}`)
		return
	}
	s.route(w, r, version, path, who)
}

// route finds the controller. Only the capabilities need no login.
func (s *Server) route(w http.ResponseWriter, r *http.Request, version int, path string, who caller) {
	var segments []string
	for segment := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(segment) // a plus stays a plus
		if err != nil {
			webServerNotFound(w)
			return
		}
		segments = append(segments, plain)
	}
	actions, subject := s.actions(segments)
	action, known := actions[r.Method]
	switch {
	case actions == nil:
		render(w, r, version, reply{code: 404, message: noSuchRoute, bare: true})
	case !known:
		answer(w, http.StatusMethodNotAllowed, "application/json; charset=utf-8", "")
	case who.account == nil && path != "cloud/capabilities":
		render(w, r, version, refused(997, "Current user is not logged in"))
	default:
		q := query{r: r, who: who, subject: subject}
		q.params, q.broken = readParams(r) // before the lock: a body can be slow
		s.mu.Lock()
		p := action(q)
		s.mu.Unlock()
		if p.code == http.StatusTooManyRequests { // in v1, too, and without a body
			answer(w, p.code, "text/html; charset=UTF-8", "")
			return
		}
		render(w, r, version, p)
	}
}

// A query is a call of an action, which runs while the server is locked.
type query struct {
	r       *http.Request
	who     caller
	subject string // the user in the path
	params  params
	broken  bool // PHP crashes on the parameters
}

type action func(query) reply

// actions returns the actions at a path, by method, and the user in the path.
func (s *Server) actions(path []string) (methods map[string]action, subject string) {
	switch joined := strings.Join(path, "/"); {
	case joined == "cloud/capabilities":
		return map[string]action{"GET": s.capabilities}, ""
	case joined == "cloud/user":
		return map[string]action{"GET": s.self}, ""
	case joined == "cloud/users":
		return map[string]action{"GET": s.list, "POST": s.create}, ""
	case joined == "cloud/users/details":
		return map[string]action{"GET": s.details}, ""
	case joined == "core/getapppassword":
		return map[string]action{"GET": s.newAppPassword}, ""
	case joined == "core/apppassword":
		return map[string]action{"DELETE": s.dropAppPassword}, ""
	case joined == "cloud/groups":
		return map[string]action{"GET": s.listGroups, "POST": s.addGroup}, ""
	case len(path) == 3 && path[0] == "cloud" && path[1] == "groups" && path[2] != "":
		return map[string]action{"DELETE": s.removeGroup}, path[2]
	case len(path) == 4 && path[0] == "cloud" && path[1] == "groups" && path[3] == "users":
		return map[string]action{"GET": s.members}, path[2]
	case len(path) < 3 || path[0] != "cloud" || path[1] != "users" || path[2] == "":
		return nil, ""
	case len(path) == 3:
		return map[string]action{"GET": s.get, "PUT": s.edit, "DELETE": s.remove}, path[2]
	case len(path) == 4 && path[3] == "groups":
		return map[string]action{"GET": s.groupsOf, "POST": s.join, "DELETE": s.leave}, path[2]
	case len(path) == 4 && path[3] == "enable":
		return map[string]action{"PUT": s.enable}, path[2]
	case len(path) == 4 && path[3] == "disable":
		return map[string]action{"PUT": s.disable}, path[2]
	}
	return nil, ""
}

// render writes a reply in the version and the format of the call.
func render(w http.ResponseWriter, r *http.Request, version int, p reply) {
	meta := object{{"status", "failure"}, {"statuscode", p.code}, {"message", p.message}}
	if p.code == http.StatusOK {
		meta[0].value = "ok"
	}
	status := httpStatus(p.code)
	if version == 1 {
		meta[1].value = codeV1(p)
		if !p.bare {
			meta = append(meta, member{"totalitems", ""}, member{"itemsperpage", ""})
		}
		if status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
			status = http.StatusOK
		}
	}
	if p.data == nil {
		p.data = []any{}
	}
	doc := object{{"ocs", object{{"meta", meta}, {"data", p.data}}}}
	switch {
	case wantsJSON(r):
		answer(w, status, "application/json; charset=utf-8", doc.json())
	case p.bare:
		answer(w, status, "text/xml; charset=UTF-8", doc.xml())
	default:
		answer(w, status, "application/xml; charset=utf-8", doc.xml())
	}
}

// wantsJSON reports whether the caller asked for JSON; the default is XML.
func wantsJSON(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "json"
	}
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

// httpStatus returns the HTTP status of a code in v2.
func httpStatus(code int) int {
	switch code {
	case 997:
		return http.StatusUnauthorized
	case 998:
		return http.StatusNotFound
	}
	if code < 200 {
		return http.StatusBadRequest
	}
	return code
}

// codeV1 returns the code of v1 for a code of v2.
func codeV1(p reply) int {
	switch {
	case p.code == http.StatusOK:
		return 100
	case p.code == http.StatusInternalServerError:
		return 996
	case p.code == http.StatusNotFound && p.bare:
		return 998
	}
	return p.code
}
